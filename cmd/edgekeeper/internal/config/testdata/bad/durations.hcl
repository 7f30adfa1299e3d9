vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  advert_interval   = 1
  preempt_delay     = "5"
  garp_delay        = "five"
  garp_refresh      = "-1s"
  virtual_address "192.0.2.1/24" {}
}

virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
  drain_timeout = 0.5
  removal_window = "48h"
  persistence = "1500ms"
}

# want: 4:23: advert_interval must be a duration in quotes and with its unit; for seconds write "1s"
# want: 5:23: preempt_delay is "5", which lacks its unit; for seconds write "5s"
# want: 6:23: garp_delay is "five", which is no duration; write one as "6s", "250ms" or "1m30s"
# want: 7:23: garp_refresh is "-1s", must be from 0s to 24h
# want: 14:19: drain_timeout must be a duration in quotes and with its unit; for seconds write "0.5s"
# want: 15:20: removal_window is "48h", must be from 1s to 24h
# want: 16:17: persistence is "1500ms", must be whole seconds
