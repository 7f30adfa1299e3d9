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
