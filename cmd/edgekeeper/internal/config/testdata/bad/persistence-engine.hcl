virtual_server "tcp" {
  address            = "192.0.2.1:5060"
  persistence        = "60s"
  persistence_engine = "sip"
  real_server "192.0.2.2" {}
}

virtual_server "without" {
  address            = "192.0.2.1:5060"
  protocol           = "udp"
  persistence_engine = "sip"
  real_server "192.0.2.2" {}
}

virtual_server "unknown" {
  address            = "192.0.2.2:5060"
  protocol           = "udp"
  persistence        = "60s"
  persistence_engine = "h323"
  real_server "192.0.2.2" {}
}

virtual_server "group" {
  addresses          = ["192.0.2.3:5060-5070"]
  persistence        = "60s"
  persistence_engine = "sip"
  one_packet         = true
  real_server "192.0.2.2" {}
  real_server "192.0.2.3:5060" {}
}

# want: 4:24: persistence_engine "sip" is for udp, virtual_server "tcp" is tcp: the kernel would drop its packets
# want: 11:24: persistence_engine has no effect without persistence
# want: 19:24: persistence_engine is "h323", must be "sip"
# want: 26:24: persistence_engine "sip" is for udp, virtual_server "group" is tcp: the kernel would drop its packets
# want: 27:24: one_packet is for udp, virtual_server "group" is tcp
# want: 29:15: real_server "192.0.2.3:5060" has port 5060, the virtual server is for more than one: its packets keep theirs, so leave the port out; a check has a port of its own
