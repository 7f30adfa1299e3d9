process {
  realtime_priority = 100
  lock_memory       = "yes"
}

process {}

# want: 2:23: realtime_priority is 100, must be 0 to 99
# want: 3:23: lock_memory must be true or false, without quotes
# want: 6:1: only one process block is allowed, there is one at process.hcl:1:1
