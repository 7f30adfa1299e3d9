virtual_server "w0" {
  address = "192.0.2.1"
  real_server "192.0.2.2" {}
}

virtual_server "w1" {
  address = "web:80"
  real_server "192.0.2.2" {}
}

virtual_server "w2" {
  address = "192.0.2.1:0"
  real_server "192.0.2.2" {}
}

virtual_server "w3" {
  address = "[fe80::1%eth0]:80"
  real_server "192.0.2.2" {}
}

virtual_server "w4" {
  address = "192.0.2.1:99999"
  real_server "192.0.2.2" {}
}

virtual_server "w5" {
  address = "0.0.0.0:80"
  real_server "192.0.2.2" {}
}

virtual_server "w6" {
  address = "[::ffff:192.0.2.1]:80"
  real_server "192.0.2.2" {}
}

# want: 2:13: address: "192.0.2.1" lacks its port, write "192.0.2.1:80"
# want: 7:13: address: "web:80" is not ip:port, such as "192.0.2.1:80" or "[2001:db8::1]:80"
# want: 12:13: address: port 0 means every port, which needs persistence
# want: 17:13: address: "fe80::1%eth0" names an interface, write the address without "%eth0"
# want: 22:13: address: "192.0.2.1:99999" is not ip:port, such as "192.0.2.1:80" or "[2001:db8::1]:80"
# want: 27:13: address: 0.0.0.0 is not the address of a host
# want: 32:13: address: write the IPv4 address as 192.0.2.1
