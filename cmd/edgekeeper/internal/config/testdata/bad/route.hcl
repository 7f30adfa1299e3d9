vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.1/24" {}

  virtual_route "10.0.0.0" {
    via = "192.0.2.254"
  }
  virtual_route "10.0.0.1/8" {
    via = "192.0.2.254"
  }
  virtual_route "10.1.0.0/16" {}
  virtual_route "10.2.0.0/16" {
    via = "2001:db8::1"
  }
  virtual_route "10.3.0.0/16" {
    type = "blackhole"
    via  = "192.0.2.254"
  }
  virtual_route "10.4.0.0/16" {
    via    = "192.0.2.254"
    onlink = true
  }
  virtual_route "10.5.0.0/16" {
    via = "192.0.2.254"
    nexthop "192.0.2.253" {}
  }
  virtual_route "10.6.0.0/16" {
    nexthop "eth1" {
      device = "eth2"
    }
  }
  virtual_route "10.7.0.0/16" {
    type = "nat"
  }
  virtual_route "2001:db8::/32" {
    device   = "eth0"
    scope    = "link"
    mtu_lock = true
  }
  virtual_route "10.8.0.0/16" {
    device = "eth0"
  }
  virtual_route "10.8.0.0/16" {
    device = "eth1"
  }
}

vrrp "VI_2" {
  interface         = "eth0"
  virtual_router_id = 52
  virtual_address "192.0.2.2/24" {}
  virtual_route "10.8.0.0/16" {
    device = "eth1"
  }
}

# want: 6:17: virtual_route: "10.0.0.0" is not a network, such as "10.0.0.0/8"
# want: 9:17: virtual_route "10.0.0.1/8": 10.0.0.1/8 has host bits; the network is 10.0.0.0/8
# want: 12:17: via: a route needs a gateway or a device
# want: 14:11: via: 2001:db8::1 is not of the family of 10.2.0.0/16
# want: 18:12: via: a blackhole route has no gateway
# want: 22:14: onlink: needs a gateway and a device
# want: 24:17: virtual_route "10.5.0.0/16": several next hops stand in place of a gateway and a device
# want: 30:16: nexthop "eth1" is an interface, device names another
# want: 34:12: type is "nat", must be "unicast", "local", "blackhole", "unreachable", "prohibit" or "throw"
# want: 38:16: scope: is for IPv4 routes only
# want: 39:16: mtu_lock: needs an MTU
# want: 44:17: virtual_route 10.8.0.0/16 is already there at route.hcl:41:17; the kernel tells routes apart by destination, table, metric and tos
# want: 53:17: virtual_route 10.8.0.0/16 is already there at route.hcl:41:17; the kernel tells routes apart by destination, table, metric and tos
