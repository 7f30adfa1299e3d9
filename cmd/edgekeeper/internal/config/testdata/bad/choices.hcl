on_stop = "flush"
log_level = "verbose"

virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
  protocol = "TCP"
  scheduler = "wrrr"
  forward = "DR"
  health = "consul+native"
  on_failure = "inhibit"
}

# want: 1:11: on_stop is "flush", must be "release" or "keep"
# want: 2:13: log_level is "verbose", must be "debug", "info", "warn" or "error"
# want: 7:14: protocol is "TCP", must be "tcp", "udp" or "sctp", did you mean "tcp"?
# want: 8:15: scheduler is "wrrr", must be "dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "rr", "sed", "sh", "twos", "wlc" or "wrr", did you mean "wrr"?
# want: 9:13: forward is "DR", must be "dr", "nat" or "tun", did you mean "dr"?
# want: 10:12: health is "consul+native", must be "consul-and-native", "consul-or-native", "consul" or "native", did you mean "consul-or-native"?
# want: 11:16: on_failure is "inhibit", must be "drain" or "remove"
