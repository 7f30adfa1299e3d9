ipvs {
  connection_sync {
    interface = "eth1"
  }
}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.1/24" {}
}
vrrp "VI_2" {
  interface         = "eth0"
  virtual_router_id = 52
  virtual_address "192.0.2.2/24" {}
}
virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.10" {}
}

# want: 2:3: connection_sync needs vrrp: there are 2 instances, VI_1, VI_2
