# Two directors in front of two web servers, direct routing, no catalog. This is
# the first director; the second has its own router_id and priority = 90.
# The web servers run `edgekeeper realserver` with the same file.

router_id = "chengdu"

vrrp "VI_1" {
  interface         = "ens32"
  virtual_router_id = 51
  priority          = 100
  advert_interval   = "1s"

  authentication {
    type   = "pass"
    secret = "5525"
  }

  virtual_address "61.139.2.1/29" {
    label = "ens32:0"
  }
}

virtual_server "web" {
  address    = "61.139.2.1:80"
  protocol   = "tcp"
  scheduler  = "wrr"
  forward    = "dr"
  on_failure = "drain" # weight 0, keepalived's inhibit_on_failure

  real_server "61.139.2.4:80" {
    weight = 1
  }
  real_server "61.139.2.5:80" {
    weight = 1
  }

  check "tcp" {
    interval    = "6s"
    timeout     = "3s"
    retries     = 3
    retry_delay = "3s"
    port        = 80
  }
}

real_server_agent {
  virtual_addresses = ["61.139.2.1"]
}
