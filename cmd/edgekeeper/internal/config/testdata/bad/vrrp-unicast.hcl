vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  source_address    = "192.0.2.7"
  unicast_peers     = ["192.0.2.8", "192.0.2.7", "2001:db8::7", "peer", "192.0.2.8", "fe80::1%eth0"]
  virtual_address "192.0.2.1/24" {}
}

vrrp "VI_2" {
  interface         = "eth0"
  virtual_router_id = 52
  source_address    = "2001:db8::7"
  unicast_peers     = []
  virtual_address "192.0.2.2/24" {}
}

# want: 5:37: unicast_peers: 192.0.2.7 is our own source_address
# want: 5:50: unicast_peers: 2001:db8::7 is IPv6, the virtual addresses are IPv4
# want: 5:65: unicast_peers: "peer" is not an IP address
# want: 5:73: unicast_peers: 192.0.2.8 is listed twice
# want: 5:86: unicast_peers: "fe80::1%eth0" names an interface, write the address without "%eth0"
# want: 12:23: source_address: 2001:db8::7 is IPv6, the virtual addresses are IPv4
# want: 13:23: unicast_peers is empty; leave it out for multicast
