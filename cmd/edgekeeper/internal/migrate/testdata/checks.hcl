ipvs {
  # as keepalived, which leaves expire_nodest_conn and the like alone
  manage_sysctls = false
}

virtual_server "10.3.0.1:25" {
  address    = "10.3.0.1:25"
  protocol   = "tcp"
  scheduler  = "rr"
  forward    = "nat"
  on_failure = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "10.3.1.1:25" {
    weight = 1
  }
  check "smtp" {
    interval       = "15s"
    timeout        = "4s"
    retries        = 2
    retry_delay    = "2s"
    initial        = "up"
    source_address = "10.3.0.9"
    mark           = 7
    helo           = "director.example.com"
  }
}

virtual_server "10.3.0.1:53-udp" {
  address    = "10.3.0.1:53"
  protocol   = "udp"
  scheduler  = "rr"
  forward    = "dr"
  on_failure = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "10.3.1.2:53" {
    weight = 1
  }
  real_server "10.3.1.3:53" {
    weight = 1
  }
  check "dns" {
    interval    = "10s"
    timeout     = "5s"
    retries     = 3
    retry_delay = "10s"
    initial     = "up"
    type        = "A"
    name        = "www.example.com"
  }
}

virtual_server "10.3.0.1:514-udp" {
  address    = "10.3.0.1:514"
  protocol   = "udp"
  scheduler  = "rr"
  forward    = "nat"
  on_failure = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "10.3.1.4:514" {
    weight = 1
  }
  real_server "10.3.1.5:514" {
    weight = 1
  }
  check "udp" {
    interval    = "20s"
    timeout     = "5s"
    retries     = 1
    retry_delay = "1s"
    send_hex    = "01020304"
    expect_hex  = "01xx"
  }
  check "icmp" {
    interval    = "20s"
    timeout     = "5s"
    retries     = 3
    retry_delay = "1s"
  }
}

virtual_server "10.3.0.1:80" {
  address    = "10.3.0.1:80"
  protocol   = "tcp"
  scheduler  = "wrr"
  forward    = "nat"
  on_failure = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "10.3.1.6:80" {
    weight = 1
  }
  check "exec" {
    interval       = "10s"
    timeout        = "5s"
    retries        = 0
    retry_delay    = "1s"
    initial        = "up"
    command        = ["/bin/sh", "-c", "exec '/usr/local/bin/check' '--host' \"$EDGEKEEPER_ADDRESS\" 'a word'"]
    dynamic_weight = true
    user           = "root"
  }
}

virtual_server "10.3.0.1:82" {
  address    = "10.3.0.1:82"
  protocol   = "tcp"
  scheduler  = "wrr"
  forward    = "nat"
  on_failure = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "10.3.1.6:82" {
    weight = 1
  }
  real_server "10.3.1.7:82" {
    weight = 1
  }
  check "exec" {
    interval    = "60s"
    timeout     = "60s"
    retries     = 0
    retry_delay = "1s"
    initial     = "up"
    command     = ["/bin/sh", "-c", "exec '/usr/local/bin/check' \"$EDGEKEEPER_ADDRESS\" 'x'"]
    user        = "root"
  }
}

virtual_server "10.3.0.1:81" {
  address    = "10.3.0.1:81"
  protocol   = "tcp"
  scheduler  = "wrr"
  forward    = "nat"
  on_failure = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "10.3.1.6:81" {
    weight = 1
  }
  check "file" {
    interval    = "1s"
    timeout     = "1s"
    retries     = 0
    retry_delay = "0s"
    initial     = "up"
    file        = "/run/load"
    weight      = 3
  }
}

virtual_server "10.3.0.1:443" {
  address    = "10.3.0.1:443"
  protocol   = "tcp"
  scheduler  = "wrr"
  forward    = "nat"
  on_failure = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "10.3.1.7:8443" {
    weight = 1
  }
  check "https" {
    interval        = "10s"
    timeout         = "5s"
    retries         = 1
    retry_delay     = "3s"
    initial         = "up"
    path            = "/a"
    body            = "(?i)^ok"
    host            = "www.example.com"
    tls_skip_verify = true
  }
  check "https" {
    interval        = "10s"
    timeout         = "5s"
    retries         = 1
    retry_delay     = "3s"
    initial         = "up"
    path            = "/b"
    digest          = "9b3a0c85a887a256d6939da88aabd8cd"
    status          = "200, 301-302"
    host            = "api.example.com"
    tls_skip_verify = true
  }
}

virtual_server "192.0.2.50:80" {
  address    = "192.0.2.50:80"
  protocol   = "tcp"
  scheduler  = "wlc"
  forward    = "dr"
  on_failure = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "192.0.2.51:80" {
    weight = 1
  }
  real_server "192.0.2.52:80" {
    weight = 1

    check "http" {
      interval    = "10s"
      timeout     = "5s"
      retries     = 1
      retry_delay = "3s"
      initial     = "up"
      path        = "/ready"
      status      = "200"
    }
  }
  real_server "192.0.2.53:80" {
    weight = 1

    check "tcp" {
      interval    = "10s"
      timeout     = "3s"
      retries     = 1
      retry_delay = "1s"
      initial     = "up"
      port        = 8080
    }
  }
  check "tcp" {
    interval    = "10s"
    timeout     = "3s"
    retries     = 1
    retry_delay = "1s"
    initial     = "up"
  }
}

virtual_server "192.0.2.50:81" {
  address    = "192.0.2.50:81"
  protocol   = "tcp"
  scheduler  = "wlc"
  forward    = "dr"
  on_failure = "remove"
  # as keepalived, which removes at once and as many as fail
  drain_timeout = "0s"
  max_removal   = 1

  real_server "192.0.2.51:81" {
    weight = 1
  }
  real_server "192.0.2.52:81" {
    weight = 1

    check "tcp" {
      interval    = "10s"
      timeout     = "3s"
      retries     = 1
      retry_delay = "1s"
      initial     = "up"
    }
  }
}
