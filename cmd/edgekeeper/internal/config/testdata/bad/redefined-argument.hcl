log_level = "debug"
log_level = "info"

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  priority          = 100
  priority          = 90
  garp_repeat       = 0
  virtual_address "192.0.2.1/24" {}
}

# want: 2:1: log_level is set twice in this block
# want: 8:3: priority is set twice in this block
# want: 9:23: garp_repeat is 0, must be 1 to 60
