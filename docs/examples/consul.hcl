# A director whose real servers come from Consul. `consul kv` tunes it while it
# runs: consul kv put edgekeeper/weight/web/web-1 0

router_id = "lvs1"

consul {
  address   = "127.0.0.1:8500"
  kv_prefix = "edgekeeper"
}

telemetry {
  address = "127.0.0.1:9777"
}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  version           = 2
  priority          = 100
  advert_interval   = "1s"
  preempt           = true

  authentication {
    type   = "pass"
    secret = "5525"
  }

  virtual_address "61.139.2.1/29" {
    label = "eth0:0"
  }
}

virtual_server "web" {
  address    = "61.139.2.1:80"
  protocol   = "tcp"
  scheduler  = "wrr"
  forward    = "dr"
  on_failure = "drain"

  service "web" {
    tags = ["prod"]
  }

  check "tcp" {
    interval    = "6s"
    timeout     = "3s"
    retries     = 3
    retry_delay = "3s"
  }
}
