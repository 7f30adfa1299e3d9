vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  priority          = 255
  preempt           = false
  virtual_address "192.0.2.1/24" {}
}

# want: 5:23: preempt = false has no effect: priority 255 owns the addresses and always takes them
