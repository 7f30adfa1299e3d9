router_id = 1
log_json = "true"

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  priority          = "100"
  preempt           = "yes"
  advert_interval   = true
  unicast_peers     = "192.0.2.7"
  garp_repeat       = 2.5
  virtual_address "192.0.2.1/24" {}
}

virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
  max_removal = "50%"
  quorum = [1]
  scheduler = null
  address_family = null
}

# want: 1:13: router_id must be a string, in quotes
# want: 2:12: log_json must be true or false, without quotes
# want: 7:23: priority must be a number, without quotes
# want: 8:23: preempt must be true or false, without quotes
# want: 9:23: advert_interval must be a duration, such as "6s" or "250ms"
# want: 10:23: unicast_peers must be a list of strings, such as ["a", "b"]
# want: 11:23: garp_repeat is 2.5, must be a whole number
# want: 18:17: max_removal must be a number from 0 to 1, without quotes
# want: 19:12: quorum must be a number
# want: 21:3: virtual_server has no argument "address_family"
