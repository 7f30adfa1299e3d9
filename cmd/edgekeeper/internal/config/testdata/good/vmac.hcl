vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  accept            = false
  vmac {}
  virtual_address "192.0.2.100/24" {
    label = "vrrp.51:0"
  }
  virtual_address "192.0.2.101/24" {
    device = "eth1"
  }
  virtual_address "2001:db8::1/64" {
    advertise = false
  }
}

vrrp "VI_6" {
  interface         = "eth0"
  virtual_router_id = 51
  unicast_peers     = ["fe80::2"]
  vmac {}
  virtual_address "2001:db8::2/64" {}
}

vrrp "VI_all" {
  interface         = "eth0"
  virtual_router_id = 52
  vmac {
    name          = "v52"
    transmit_base = true
    all_addresses = true
  }
  virtual_address "192.0.2.110/24" {}
  virtual_address "192.0.2.111/24" {
    device = "eth1"
  }
  virtual_address "2001:db8::10/64" {
    advertise = false
  }
  virtual_address "192.0.2.112/24" {
    device = "eth1"
  }
}

vrrp "VI_mac" {
  interface         = "eth0"
  virtual_router_id = 53
  vmac {
    mac = "02:00:00:00:00:35"
  }
  virtual_address "192.0.2.120/24" {}
}
