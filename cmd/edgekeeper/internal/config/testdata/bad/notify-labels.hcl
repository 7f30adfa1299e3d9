notify "exec" {
  command = ["/bin/true"]
}
notify {}
notify "script" "x" {}
notify "exec" "" {
  command = ["/bin/true"]
}
notify "exec" "a" "b" {
  command = ["/bin/true"]
}
notify "exec" "needs" {}
notify "fifo" "needs" {}
notify "webhook" "needs" {}
notify "mail" "needs" {}
notify "exec" "fifo" {
  command = ["/bin/true"]
  path    = "/run/fifo"
}

# want: 1:8: notify "exec" needs a second label: its name, for `status` and events
# want: 4:1: notify needs a label: what the target is: `exec` (a program), `fifo` (a named pipe), `webhook` or `mail`
# want: 5:8: notify "script" is unknown, must be "exec", "fifo", "webhook" or "mail"
# want: 6:15: the second label of notify is empty; it is its name, for `status` and events
# want: 9:19: notify takes two labels only
# want: 12:15: notify "exec" "needs" needs command
# want: 13:15: notify "fifo" "needs" needs path
# want: 14:18: notify "webhook" "needs" needs url
# want: 15:15: notify "mail" "needs" needs server
# want: 15:15: notify "mail" "needs" needs from
# want: 15:15: notify "mail" "needs" needs to
# want: 18:3: path is for "fifo" targets, this one is "exec"
