vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  version           = 3
  advert_interval   = "41s"
  lease             = "2500ms"
  virtual_address "192.0.2.1/24" {}
}

vrrp "VI_2" {
  interface         = "eth0"
  virtual_router_id = 52
  version           = 3
  advert_interval   = "255ms"
  lease             = "of"
  virtual_address "192.0.2.2/24" {}
}

# want: 5:23: advert_interval is 41s, version 3 takes multiples of 10ms up to 40.95s
# want: 6:23: lease is "2500ms", must be whole seconds: the kernel counts lifetimes in them
# want: 14:23: advert_interval is 255ms, version 3 takes multiples of 10ms up to 40.95s
# want: 15:23: lease is "of", must be "auto", "off" or a duration such as "3s", did you mean "off"?
