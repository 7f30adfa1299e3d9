ipvs {
  # as keepalived, which leaves expire_nodest_conn and the like alone
  manage_sysctls  = false
  tcp_timeout     = "2h"
  tcp_fin_timeout = "30s"
  udp_timeout     = "60s"

  connection_sync {
    interface  = "eth1"
    id         = 7
    max_length = 1400
    port       = 8849
    ttl        = 2
    group      = "224.0.0.82"
    vrrp       = "VI_1"
  }
}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 7
  version           = 2
  priority          = 100
  advert_interval   = "1s"
  # as keepalived; "restore" would put a lost address back without an election
  on_address_loss = "step-down"

  virtual_address "10.2.0.1/24" {
  }
}

virtual_server "web" {
  addresses       = ["10.2.0.1-10.2.0.3:80", "10.2.0.9:81"]
  protocol        = "tcp"
  scheduler       = "sh"
  scheduler_flags = ["sh-fallback", "sh-port"]
  forward         = "tun"
  on_failure      = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1
  quorum        = 4

  real_server "10.2.1.1" {
    weight          = 2
    upper_threshold = 100
    lower_threshold = 50
  }
  real_server "10.2.1.2" {
    weight = 2
  }
  sorry_server "10.2.1.99:80" {
    forward = "nat"
  }
  tunnel {
    type     = "gue"
    port     = 6080
    checksum = "csum"
  }
  check "http" {
    interval    = "5s"
    timeout     = "5s"
    retries     = 2
    retry_delay = "3s"
    port        = 8080
    path        = "/health"
    status      = "200-204"
    host        = "www.example.com"
  }
}

virtual_server "fwmark-5" {
  fwmark          = 5
  scheduler       = "sh"
  scheduler_flags = ["sh-fallback", "sh-port"]
  forward         = "tun"
  on_failure      = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1
  quorum        = 4

  real_server "10.2.1.1" {
    weight          = 2
    upper_threshold = 100
    lower_threshold = 50
  }
  real_server "10.2.1.2" {
    weight = 2
  }
  sorry_server "10.2.1.99:80" {
    forward = "nat"
  }
  tunnel {
    type     = "gue"
    port     = 6080
    checksum = "csum"
  }
  check "http" {
    interval    = "5s"
    timeout     = "5s"
    retries     = 2
    retry_delay = "3s"
    port        = 8080
    path        = "/health"
    status      = "200-204"
    host        = "www.example.com"
  }
}

virtual_server "10.2.0.2:0" {
  address                 = "10.2.0.2:0"
  protocol                = "tcp"
  scheduler               = "rr"
  forward                 = "nat"
  persistence             = "6m"
  persistence_granularity = 24
  on_failure              = "drain"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "10.2.1.1" {
    weight = 1
  }
  real_server "10.2.1.2" {
    weight = 1
  }
}

virtual_server "[2001:db8:2::1]:443-udp" {
  address                 = "[2001:db8:2::1]:443"
  protocol                = "udp"
  scheduler               = "wrr"
  forward                 = "dr"
  persistence             = "6m"
  persistence_granularity = 64
  on_failure              = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "[2001:db8:2::10]:443" {
    weight = 1
  }
  check "exec" {
    interval    = "60s"
    timeout     = "60s"
    retries     = 0
    retry_delay = "1s"
    initial     = "up"
    command     = ["/usr/local/bin/check", "1", "2"]
  }
}

virtual_server "fwmark-7" {
  fwmark     = 7
  scheduler  = "rr"
  forward    = "dr"
  on_failure = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "10.2.1.1" {
    weight = 1
  }
}

notify "fifo" "lvs_notify_fifo" {
  events = ["pool", "server"]
  path   = "/run/keepalived/lvs"
}
