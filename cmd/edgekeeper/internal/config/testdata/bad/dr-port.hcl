virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2:8080" {}
  real_server "192.0.2.3:8080" {
    forward = "tun"
  }
  real_server "192.0.2.4:8080" {
    forward = "nat"
  }
  sorry_server "192.0.2.9:8080" {}
}

# want: 3:15: real_server "192.0.2.2:8080" has port 8080, the virtual server has 80: direct routing does not translate ports; use the same port, or forward = "nat"
# want: 4:15: real_server "192.0.2.3:8080" has port 8080, the virtual server has 80: tunnelling does not translate ports; use the same port, or forward = "nat"
# want: 10:16: sorry_server "192.0.2.9:8080" has port 8080, the virtual server has 80: direct routing does not translate ports; use the same port, or forward = "nat"
