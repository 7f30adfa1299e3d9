virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2:80" {}
  real_server "192.0.2.2" {}
  real_server "web-1:80" {}
  real_server "2001:db8::2" {}
  real_server "192.0.2.3" {
    upper_threshold = 10
    lower_threshold = 10
  }
  real_server "192.0.2.4" {
    lower_threshold = 10
  }
  real_server "192.0.2.5" {
    wieght = 1
    forward = "masq"
  }
}

# want: 4:15: real_server 192.0.2.2:80 is already in this virtual server at real-server.hcl:3:15
# want: 5:15: real_server: "web-1:80" is not ip:port, such as "192.0.2.1:80" or "[2001:db8::1]:80"
# want: 6:15: real_server [2001:db8::2]:80 is IPv6, the virtual server is IPv4; only tunnels go across
# want: 9:23: lower_threshold 10 must be less than upper_threshold 10
# want: 12:23: lower_threshold has no effect without upper_threshold
# want: 15:5: real_server has no argument "wieght", did you mean "weight"?
# want: 16:15: forward is "masq", must be "dr", "nat" or "tun"
