ipvs {
  connection_sync {
    interface = "eth1/2"
    vrrp      = "VI_2"
    group     = "192.0.2.81"
    ttl       = 0
  }
}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.1/24" {}
}

# want: 2:3: connection_sync has no effect without a virtual_server: there are no connections
# want: 3:17: interface: "eth1/2" is no interface name: it holds a slash, a colon or a space
# want: 4:17: vrrp: there is no vrrp "VI_2"
# want: 5:17: group: "192.0.2.81" is not a multicast address, such as "224.0.0.81"
# want: 6:17: ttl is 0, must be 1 to 255
