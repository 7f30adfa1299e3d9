ipvs {
  conn_reuse_mode = 9
}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 256
  version           = 4
  priority          = 0
  down_multiplier   = 101

  virtual_address "192.0.2.1/24" {}
}

virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {
    weight = -1
  }
  weight = 65536
  max_removal = 1.5
  panic_threshold = -0.1
  quorum = 0
  hysteresis = 1e400
}

# want: 2:21: conn_reuse_mode is 9, must be 0 to 3
# want: 7:23: virtual_router_id is 256, must be 1 to 255
# want: 8:23: version is 4, must be 2 or 3
# want: 9:23: priority is 0, must be 1 to 255
# want: 10:23: down_multiplier is 101, must be 1 to 100
# want: 18:14: weight is -1, must be 0 to 65535
# want: 20:12: weight is 65536, must be 0 to 65535
# want: 21:17: max_removal is 1.5, must be from 0 to 1
# want: 22:21: panic_threshold is -0.1, must be from 0 to 1
# want: 23:12: quorum is 0, must be 1 to 2147483647
# want: 24:16: hysteresis is far out of range, must be 0 to 2147483647
