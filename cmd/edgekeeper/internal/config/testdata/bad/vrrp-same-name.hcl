vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51

  virtual_address "192.0.2.1/24" {}
}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 52

  virtual_address "192.0.2.2/24" {}
}

# want: 8:6: vrrp "VI_1" is already defined at vrrp-same-name.hcl:1:6
