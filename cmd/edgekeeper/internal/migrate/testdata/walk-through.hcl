ipvs {
  # as keepalived, which leaves expire_nodest_conn and the like alone
  manage_sysctls = false
}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  version           = 2
  state             = "master"
  priority          = 100
  advert_interval   = "1s"
  # as keepalived; "restore" would put a lost address back without an election
  on_address_loss = "step-down"

  authentication {
    type   = "pass"
    secret = "1111-and"
  }
  virtual_address "192.168.200.16/32" {
  }
  virtual_address "192.168.200.17/24" {
  }
  virtual_address "192.168.200.18/24" {
    broadcast = "192.168.200.255"
    scope     = "link"
  }
  virtual_address "61.139.2.69/30" {
    device = "eth1"
    label  = "eth1:2"
  }
}

virtual_server "192.168.200.100:443" {
  address     = "192.168.200.100:443"
  protocol    = "tcp"
  scheduler   = "rr"
  forward     = "nat"
  persistence = "50s"
  on_failure  = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "192.168.201.100:443" {
    weight = 1
  }
  check "https" {
    interval        = "6s"
    timeout         = "3s"
    retries         = 3
    retry_delay     = "3s"
    initial         = "up"
    path            = "/"
    status          = "200"
    tls_skip_verify = true
  }
  check "https" {
    interval        = "6s"
    timeout         = "3s"
    retries         = 3
    retry_delay     = "3s"
    initial         = "up"
    path            = "/mrtg/"
    digest          = "9b3a0c85a887a256d6939da88aabd8cd"
    tls_skip_verify = true
  }
}
