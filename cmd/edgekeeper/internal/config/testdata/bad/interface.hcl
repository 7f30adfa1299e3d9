vrrp "VI_1" {
  interface         = "enp130s0f0np0v1234"
  virtual_router_id = 51
  virtual_address "192.0.2.1/24" {
    device = "eth0:0"
  }
}

real_server_agent {
  virtual_addresses = []
  interface = "lo lo"
}

# want: 2:23: interface: "enp130s0f0np0v1234" has 18 bytes, an interface name has at most 15
# want: 5:14: device: "eth0:0" is no interface name: it holds a slash, a colon or a space
# want: 10:23: virtual_addresses is empty, at least one address is needed
# want: 11:15: interface: "lo lo" is no interface name: it holds a slash, a colon or a space
