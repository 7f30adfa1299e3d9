router_id = "chengdu"

ipvs {
  # as keepalived, which leaves expire_nodest_conn and the like alone
  manage_sysctls = false
}

vrrp "VI_1" {
  interface         = "ens32"
  virtual_router_id = 51
  version           = 2
  state             = "master"
  priority          = 100
  advert_interval   = "1s"
  # as keepalived; "restore" would put a lost address back without an election
  on_address_loss = "step-down"

  authentication {
    type   = "pass"
    secret = "5525"
  }
  virtual_address "61.139.2.1/29" {
    label = "ens32:0"
  }
}

virtual_server "61.139.2.1:80" {
  address    = "61.139.2.1:80"
  protocol   = "tcp"
  scheduler  = "wrr"
  forward    = "dr"
  on_failure = "drain"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

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
    initial     = "up"
  }
}

notify "mail" "smtp_alert-servers" {
  events  = ["server"]
  server  = "192.168.200.1:25"
  tls     = "none"
  from    = "lvs@example.com"
  to      = ["ops@example.com", "oncall@example.com"]
  timeout = "30s"
}
