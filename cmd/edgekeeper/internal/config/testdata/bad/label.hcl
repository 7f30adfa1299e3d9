vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.1/24" {
    label = "eth1:0"
  }
  virtual_address "192.0.2.2/24" {
    label  = "eth0:0"
    device = "eth1"
  }
  virtual_address "192.0.2.3/24" {
    label = "eth0:much-too-long"
  }
  virtual_address "192.0.2.4/24" {
    label = "eth00"
  }
}

vrrp "VI_6" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "2001:db8::1/64" {
    label     = "eth0:0"
    broadcast = "192.0.2.255"
  }
}

# want: 5:13: label: "eth1:0" must begin with the device's name and a colon, such as "eth0:0"
# want: 8:14: label: "eth0:0" must begin with the device's name and a colon, such as "eth1:0"
# want: 12:13: label: "eth0:much-too-long" has 18 bytes, the kernel takes at most 15
# want: 15:13: label: "eth00" must begin with the device's name and a colon, such as "eth0:0"
# want: 23:17: label is for IPv4 addresses only
# want: 24:17: broadcast is for IPv4 addresses only
