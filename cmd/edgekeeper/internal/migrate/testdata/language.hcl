ipvs {
  # as keepalived, which leaves expire_nodest_conn and the like alone
  manage_sysctls = false
}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 7
  version           = 2
  state             = "master"
  priority          = 150
  advert_interval   = "1s"
  # as keepalived; "restore" would put a lost address back without an election
  on_address_loss = "step-down"

  virtual_address "10.1.0.100/24" {
  }
}

virtual_server "10.1.0.100:80" {
  address    = "10.1.0.100:80"
  protocol   = "tcp"
  scheduler  = "wlc"
  forward    = "nat"
  on_failure = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "10.1.0.11:80" {
    weight = 1
  }
  real_server "10.1.0.12:80" {
    weight = 2
  }
  real_server "10.1.0.21:80" {
    weight = 3
  }
  real_server "10.1.0.22:80" {
    weight = 3
  }
  real_server "10.1.0.23:80" {
    weight = 3
  }
  check "tcp" {
    interval    = "10s"
    timeout     = "2s"
    retries     = 1
    retry_delay = "1s"
    initial     = "up"
  }
}

virtual_server "10.1.0.100:53-udp" {
  address    = "10.1.0.100:53"
  protocol   = "udp"
  scheduler  = "rr"
  forward    = "dr"
  one_packet = true
  on_failure = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "10.1.0.53:53" {
    weight = 1
  }
  real_server "10.1.0.54:53" {
    weight = 0
  }
}
