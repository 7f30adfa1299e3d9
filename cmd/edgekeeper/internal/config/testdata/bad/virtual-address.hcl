vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.1/33" {}
  virtual_address "192.0.2" {}
  virtual_address "224.0.0.18/32" {}
  virtual_address "127.0.0.9/8" {}
  virtual_address "0.0.0.0/0" {}
  virtual_address "::ffff:192.0.2.1/128" {}
  virtual_address "192.0.2.2/0" {}
  virtual_address "192.0.2.3/24" {
    broadcast = "2001:db8::1"
    scope     = "planet"
  }
  virtual_address "192.0.2.3/32" {}
  virtual_address "2001:db8::3/64" {}
}

vrrp "VI_2" {
  interface         = "eth0"
  virtual_router_id = 52
  virtual_address "192.0.2.3/24" {}
  virtual_address "192.0.2.4/24" {
    advertise = false
  }
}

vrrp "VI_3" {
  interface         = "eth0"
  virtual_router_id = 53
  virtual_address "192.0.2.5/24" {
    advertise = false
  }
}

# want: 4:19: virtual_address: "192.0.2.1/33" is not an address with its prefix length, such as "192.0.2.1/24"
# want: 5:19: virtual_address: "192.0.2" is not an address with its prefix length, such as "192.0.2.1/24"
# want: 6:19: virtual_address: 224.0.0.18 is not the address of a host
# want: 7:19: virtual_address: 127.0.0.9 is a loopback address
# want: 8:19: virtual_address: 0.0.0.0 is not the address of a host
# want: 9:19: virtual_address: write the IPv4 address as 192.0.2.1
# want: 10:19: virtual_address: the prefix length of 192.0.2.2/0 is 0
# want: 12:17: broadcast: "2001:db8::1" is not an IPv4 address
# want: 13:17: scope is "planet", must be "global", "site", "link" or "host"
# want: 15:19: virtual_address 192.0.2.3 is already held at virtual-address.hcl:11:19
# want: 16:19: virtual_address 2001:db8::3 is IPv6, the first of the instance is IPv4; write a vrrp block for each family, or advertise = false
# want: 22:19: virtual_address 192.0.2.3 is already held at virtual-address.hcl:11:19
# want: 28:6: vrrp "VI_3" needs a virtual_address block that is advertised
