virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
  one_packet = true
  persistence_granularity = 24
}

virtual_server "b" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
  protocol = "udp"
  one_packet = true
  persistence = "60s"
  persistence_granularity = 64
}

virtual_server "c" {
  address = "192.0.2.1:82"
  real_server "192.0.2.2" {}
  scheduler = "mh"
  scheduler_flags = ["mh-port", "sh-port", "fast"]
}

# want: 4:16: one_packet is for udp, virtual_server "web" is tcp
# want: 5:29: persistence_granularity has no effect without persistence
# want: 14:29: persistence_granularity is 64, must be from 1 to 32 for IPv4
# want: 21:33: scheduler_flags: "sh-port" is not for the scheduler "mh"
# want: 21:44: scheduler_flags: "fast" is unknown, must be "sh-fallback", "sh-port", "mh-fallback" or "mh-port"
