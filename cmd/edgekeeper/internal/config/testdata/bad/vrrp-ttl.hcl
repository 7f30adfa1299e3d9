vrrp "multicast" {
  interface         = "eth0"
  virtual_router_id = 1
  unicast_ttl       = 64
  virtual_address "192.0.2.1/24" {}
}

vrrp "peers" {
  interface         = "eth0"
  virtual_router_id = 2
  source_address    = "192.0.2.6"
  unicast_peers     = ["192.0.2.7"]
  unicast_ttl       = 256
  unicast_peer "192.0.2.7" {}
  unicast_peer "192.0.2.6" {}
  unicast_peer "2001:db8::7" {}
  unicast_peer "edge2" {}
  unicast_peer "192.0.2.8" {
    min_ttl = 255
    max_ttl = 64
  }
  unicast_peer "192.0.2.9" {
    min_ttl = 0
  }
  virtual_address "192.0.2.2/24" {}
}

# want: 4:23: unicast_ttl is for unicast, and vrrp "multicast" has no unicast peers
# want: 13:23: unicast_ttl is 256, must be 1 to 255
# want: 14:16: unicast_peer: 192.0.2.7 is listed in unicast_peers too
# want: 15:16: unicast_peer: 192.0.2.6 is our own source_address
# want: 16:16: unicast_peer: 2001:db8::7 is IPv6, the virtual addresses are IPv4
# want: 17:16: unicast_peer: "edge2" is not an IP address
# want: 19:15: min_ttl is 255 and max_ttl 64: no advert could pass
# want: 23:15: min_ttl is 0, must be 1 to 255
