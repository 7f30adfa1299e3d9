vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51

  virtual_address "192.0.2.1/24" {}
}

vrrp "VI_2" {
  interface         = "eth0"
  virtual_router_id = 51

  virtual_address "192.0.2.2/24" {}
}

vrrp "VI_3" {
  interface         = "eth1"
  virtual_router_id = 51

  virtual_address "192.0.2.3/24" {}
}

# want: 10:23: virtual_router_id 51 is already taken on interface "eth0" by vrrp "VI_1" at vrrp-same-id.hcl:1:6
