virtual_server "slow" {
  address = "192.0.2.1:80"

  real_server "192.0.2.11" {}
  slow_start {
    window     = "500ms"
    aggression = 0
    min_weight = "10"
  }
  slow_start {}
}

# want: 6:18: window is "500ms", must be from 1s to 24h
# want: 7:18: aggression is 0, must be from 0.1 to 10
# want: 8:18: min_weight must be a number from 0 to 1, without quotes
# want: 10:3: only one slow_start block is allowed, there is one at pool.hcl:5:3
