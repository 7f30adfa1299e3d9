router_id = "lvs1"

consul {                        # also from CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN(_FILE), CONSUL_CACERT ...
  address   = "127.0.0.1:8500"
  kv_prefix = "edgekeeper"
}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  version           = 2         # 2 or 3; 3 is the default for IPv6
  priority          = 100
  advert_interval   = "1s"
  preempt           = true
  authentication    { 
    type = "pass"
    secret = "5525" 
  }
  virtual_address "61.139.2.1/29" { label = "eth0:0" }
}

virtual_server "web" {
  address    = "61.139.2.1:80"
  protocol   = "tcp"
  scheduler  = "wrr"
  forward    = "dr"
  on_failure = "drain"          # drain = weight 0 (keepalived's inhibit_on_failure), remove = take out

  service "web" { tags = ["prod"] }            # from Consul
  real_server "61.139.2.4:80" { weight = 1 }   # or written here
  check "tcp" { 
    interval = "6s"
    timeout = "3s"
    retries = 3
    retry_delay = "3s" 
  }
}
