vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  advert_interval   = "1500ms"
  preempt           = false
  preempt_delay     = "10s"
  garp_refresh      = "10ms"
  lease             = "1s"
  conflict_probe    = "20ms"
  virtual_address "192.0.2.1/24" {}
}

# want: 4:23: advert_interval is 1.5s, version 2 takes whole seconds; version 3 goes down to 10ms
# want: 6:23: preempt_delay has no effect with preempt = false
# want: 7:23: garp_refresh is 10ms, must be 0s or at least 1s
# want: 8:23: lease is "1s", must be longer than advert_interval (1.5s), which renews it
# want: 9:23: conflict_probe is 20ms, must be 0s or at least 1s
