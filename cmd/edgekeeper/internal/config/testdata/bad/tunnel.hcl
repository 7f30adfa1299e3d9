virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
  tunnel {}
}

virtual_server "b" {
  address = "192.0.2.1:81"
  real_server "192.0.2.2" {}
  forward = "tun"
  tunnel {
    type = "gue"
  }
}

virtual_server "c" {
  address = "192.0.2.1:82"
  real_server "192.0.2.2" {}
  forward = "tun"
  tunnel {
    port = 6080
    checksum = "csum"
  }
}

virtual_server "d" {
  address = "192.0.2.1:83"
  real_server "192.0.2.2" {}
  forward = "tun"
  tunnel {
    type = "gre"
    checksum = "remcsum"
  }
  tunnel {}
}

# want: 4:3: tunnel has no effect: nothing in virtual_server "web" has forward = "tun"
# want: 11:3: tunnel of type gue needs port
# want: 21:12: port is for type gue, this tunnel is ipip
# want: 22:16: checksum "csum" does not exist for tunnel type ipip
# want: 32:16: checksum "remcsum" does not exist for tunnel type gre
# want: 34:3: only one tunnel block is allowed, there is one at tunnel.hcl:30:3
