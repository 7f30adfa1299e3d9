vrrp "six" {
  interface         = "eth0"
  virtual_router_id = 51
  version           = 2
  checksum          = "plain"

  virtual_address "2001:db8::1/64" {}
}

vrrp "a" {
  interface         = "eth0"
  virtual_router_id = 52
  checksum          = "rfc9568"
  virtual_address "192.0.2.1/24" {}
}

# want: 4:23: version 2 exists for IPv4 only, the addresses are IPv6; leave version out or write 3
# want: 5:23: checksum is for version 3 over IPv4, vrrp "six" is version 2 over IPv6
# want: 13:23: checksum is "rfc9568", must be "pseudo-header" or "plain"
