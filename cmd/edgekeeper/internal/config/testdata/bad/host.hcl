vrrp "VI_1" {
  interface            = "eth0"
  virtual_router_id    = 51
  on_address_loss      = "ignore"
  interface_down_delay = "2s"
  garp_refresh_repeat  = 2
  garp_delay           = "0s"
  garp_lower_delay     = "0s"
  garp_lower_repeat    = 61
  virtual_address "192.0.2.1/24" {
    peer              = "2001:db8::1"
    detect_duplicates = true
  }
  virtual_address "192.0.2.2/24" {
    peer      = "192.0.2.2"
    broadcast = "192.0.2.255"
  }
}

vrrp "VI_2" {
  interface         = "eth0"
  virtual_router_id = 52
  garp_interval     = "5ms"
  virtual_address "192.0.2.3/24" {}
}

vrrp "VI_3" {
  interface         = "eth1"
  virtual_router_id = 52
  virtual_address "2001:db8::1/128" {
    deprecated = false
  }
}

# want: 4:26: on_address_loss is "ignore", must be "restore" or "step-down"
# want: 5:26: interface_down_delay is 2s, must be below 2s, for a backup takes over soon after
# want: 6:26: garp_refresh_repeat has no effect without garp_refresh
# want: 8:26: garp_lower_delay is garp_delay anyway; leave it out
# want: 9:26: garp_lower_repeat is 61, must be 1 to 60
# want: 11:25: peer: 2001:db8::1 is IPv6, the address is IPv4
# want: 12:25: detect_duplicates is for IPv6 addresses only
# want: 15:17: peer: 192.0.2.2 is the address itself
# want: 15:17: peer and broadcast exclude each other
# want: 23:23: garp_interval is 5ms, but vrrp "VI_1" at host.hcl:1:6 has 0s for the same interface; they share one pace
# want: 31:18: deprecated: an IPv6 /128 always is
