# One native check of each kind. All checks of a pool must succeed.

file_catalog {
  path = "/etc/edgekeeper.d/services"
}

virtual_server "www" {
  address = "61.139.2.1:443"

  service "www" {}

  # What clients do, and what they would see: the name of the site, a
  # certificate that is good and stays so for two weeks.
  check "https" {
    path                = "/health"
    host                = "www.example.com"
    status              = "200-299, 401"
    headers             = ["X-Check: edgekeeper"]
    body_not            = "maintenance"
    tls_ca_file         = "/etc/edgekeeper.d/ca.pem"
    certificate_warning = "336h"
  }

  # Application state on a port of its own, with a request that works.
  check "http" {
    port         = 8080
    method       = "POST"
    path         = "/selftest"
    request_body = "{\"deep\": true}"
    interval     = "30s"
    jitter       = "5s"
    timeout      = "10s"
  }
}

# Only the primary of a replicated Redis gets clients.
virtual_server "redis-primary" {
  address    = "61.139.2.1:6379"
  on_failure = "remove"

  service "redis" {}

  check "tcp" {
    send   = "INFO replication\r\n"
    expect = "(?m)^role:master\r$"
  }
}

virtual_server "cart" {
  address = "61.139.2.1:50051"
  service "cart" {}

  check "grpc" {
    service = "shop.Cart"
  }
}

# A name server is up when it knows our zone over UDP, and answers over TCP.
virtual_server "dns" {
  address  = "61.139.2.1:53"
  protocol = "udp"

  service "dns" {}

  check "dns" {
    name   = "www.example.com"
    type   = "A"
    answer = "^A 61\\.139\\."
  }
  check "dns" {
    dns_tcp  = true
    interval = "30s"
  }
}

virtual_server "mail" {
  address = "61.139.2.1:25"
  service "mail" {}

  check "smtp" {
    helo            = "lvs1.example.com"
    tls             = true
    tls_server_name = "mail.example.com"
  }
}

virtual_server "postgres" {
  address = "61.139.2.1:5432"
  service "postgres" {}

  check "postgres" {
    database = "shop"
  }
}

virtual_server "mysql" {
  address = "61.139.2.1:3306"
  service "mysql" {}

  check "mysql" {}
}

virtual_server "cache" {
  address = "61.139.2.1:6380"
  service "cache" {}

  check "redis" {} # with password_file where the server wants one
}

# A game server that answers a fixed datagram, on hosts that answer an echo.
virtual_server "game" {
  address  = "61.139.2.1:27015"
  protocol = "udp"

  service "game" {}

  check "udp" {
    send_hex   = "ff ff ff ff 54"
    expect_hex = "ff ff ff ff xx"
  }
  check "icmp" {
    interval = "1s"
    timeout  = "500ms"
  }
}

# A real server that lacks the virtual address on lo drops clients' packets,
# however well its service answers on its own address. One of these two says
# itself when it is ready.
virtual_server "direct" {
  address = "61.139.2.1:8080"

  check "vip" {}

  real_server "61.139.2.4" {}
  real_server "61.139.2.5" {
    check "http" {
      port = 8081
      path = "/ready"
    }
  }
}

# Of several addresses, a check for each. With icmp it is for the address alone:
# nobody listens on these ports all the time.
virtual_server "media" {
  addresses = ["61.139.2.1:7000-7999", "61.139.2.7:7000-7999"]
  service "media" {}

  check "vip" {
    virtual_address = "61.139.2.1"
    probe           = "icmp"
  }
  check "vip" {
    virtual_address = "61.139.2.7"
    probe           = "icmp"
  }
}

# Anything else: a program decides, and says the weight by its exit code; a
# number that operators or a script write takes weight away.
virtual_server "batch" {
  address = "61.139.2.1:9000"
  service "batch" {}

  check "exec" {
    command        = ["/usr/local/bin/queue-length"]
    user           = "nobody"
    environment    = ["QUEUE=orders"]
    dynamic_weight = true
    interval       = "10s"
  }
  check "file" {
    file   = "/run/edgekeeper/less-weight-{address}"
    weight = -1
  }
}
