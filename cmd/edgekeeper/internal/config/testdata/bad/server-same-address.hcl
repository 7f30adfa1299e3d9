virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
}

virtual_server "udp" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
  protocol = "udp"
}

virtual_server "again" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
}

# want: 13:13: tcp 192.0.2.1:80 is already the address of virtual_server "web" at server-same-address.hcl:1:16
