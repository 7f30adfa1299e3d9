vrp "VI_1" {
}

virtual_server "web" {
  address = "192.0.2.1:80"
  realserver "192.0.2.2:80" {
  }
  service "web" {
    check "tcp" {
    }
  }
  real_server "192.0.2.3" {}
}

consul {}

# want: 1:1: the configuration has no block "vrp", did you mean "vrrp"?
# want: 6:3: virtual_server has no block "realserver", did you mean "real_server"?
# want: 9:5: service has no block "check"
