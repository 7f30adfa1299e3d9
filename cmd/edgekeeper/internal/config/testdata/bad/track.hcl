track_script "none" {}
track_script "both" {
  command = ["/bin/true"]
  shell   = "true"
}
track_script "relative" {
  command = ["true"]
}
track_script "empty" {
  command  = []
  interval = "1ms"
}
track_script "same" {
  shell = "true"
}
track_script "same" {
  shell = "true"
}
track_file "same" {
  path = "relative"
}
track_script "unused" {
  shell = "true"
}
track_process "always" {
  process = "x"
  quorum  = 0
}
track_process "never" {
  process         = "x"
  quorum          = 3
  quorum_max      = 2
  arguments_match = "initial"
}
track_process "noargs" {
  process   = "x"
  arguments = []
}
track_consul "nothing" {}
track_consul "two" {
  service = "a"
  check   = "b"
}
track_consul "nonode" {
  check = "b"
}
track_consul "mixed" {
  check   = "b"
  node    = "n"
  passing = 2
  tags    = ["a"]
}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.1/24" {}
  track "none" {
    weight = 254
  }
  track "both" {}
  track "both" {}
  track "relative" {}
  track "empty" {}
  track "same" {}
  track "always" {}
  track "never" {}
  track "noargs" {}
  track "nothing" {}
  track "two" {}
  track "nonode" {}
  track "mixed" {}
  track "sane" {}
  track_interface "eth0" {}
  track_interface "eth1" {
    up_delay = "1s"
  }
  track_interface "a b" {}
  track_virtual_server "web" {}
  track_script "nested" {}
}
vrrp "VI_2" {
  interface         = "eth0"
  virtual_router_id = 52
  priority          = 255
  virtual_address "192.0.2.2/24" {}
  track "both" {
    weight = 10
  }
  track_interface "eth1" {}
}

# want: 1:14: track_script "none" needs one of command and shell
# want: 4:13: command and shell exclude each other
# want: 7:13: command: "true" is not an absolute path
# want: 10:14: command is empty, it needs a program
# want: 11:14: interval is "1ms", must be from 10ms to 24h
# want: 16:14: track_script "same" is already defined at track.hcl:13:14
# want: 19:12: track_file "same" has the name of track_script "same" at track.hcl:13:14
# want: 22:14: track_script "unused" is not used; a track "unused" block in a vrrp or sync_group block does that
# want: 27:13: quorum is 0: the tracker is always up; with quorum_max = 0 it is up while no process runs
# want: 32:21: quorum_max is 2, which is below quorum (3)
# want: 33:21: arguments_match has no effect without arguments
# want: 37:15: arguments is empty; leave it out for any
# want: 39:14: track_consul "nothing" needs Consul, but there is no consul block and CONSUL_HTTP_ADDR is not set
# want: 39:14: track_consul "nothing" needs one of service and check
# want: 40:14: track_consul "two" needs Consul, but there is no consul block and CONSUL_HTTP_ADDR is not set
# want: 42:13: service and check exclude each other: of a service all checks count
# want: 44:14: track_consul "nonode" needs Consul, but there is no consul block and CONSUL_HTTP_ADDR is not set
# want: 44:14: track_consul "nonode" needs node: a check is a node's
# want: 47:14: track_consul "mixed" needs Consul, but there is no consul block and CONSUL_HTTP_ADDR is not set
# want: 50:13: passing is for a service, track_consul "mixed" is a check
# want: 51:13: tags is for a service, track_consul "mixed" is a check
# want: 59:14: weight is 254, must be -253 to 253
# want: 62:9: track "both" is already defined at track.hcl:61:9
# want: 73:9: track: there is no track_script, track_file, track_process or track_consul "sane", did you mean "same"?
# want: 74:19: track_interface: "eth0" is the router's own interface, which is tracked anyway; track_own_interface = false leaves it to this block
# want: 78:19: track_interface: "a b" is no interface name: it holds a slash, a colon or a space
# want: 79:24: track_virtual_server: there is no virtual_server "web"
# want: 80:3: track_script belongs at the top of the file, this is within vrrp "VI_1"; a closing brace may be missing above
# want: 88:14: weight has no effect: priority 255 owns the addresses and is not shifted; leave weight out for a fault
# want: 90:19: track_interface "eth1" has other delays here than at track.hcl:75:19
