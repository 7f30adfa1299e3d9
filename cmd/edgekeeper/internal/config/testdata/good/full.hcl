# Every argument, away from its default.
router_id = "edge-1"
state_dir = "/srv/edgekeeper"
on_stop   = "keep"
guardian  = false
log_level = "debug"
log_json  = true

consul {
  address         = "https://consul.example.com:8501"
  token           = "b1gs33cr3t"
  ca_cert         = "/etc/ssl/consul-ca.pem"
  client_cert     = "/etc/ssl/edge.pem"
  client_key      = "/etc/ssl/edge-key.pem"
  tls_server_name = "server.dc1.consul"
  datacenter      = "dc1"
  namespace       = "edge"
  partition       = "west"
  kv_prefix       = "edge/west/"
  max_stale       = "3s"
}

file_catalog {
  path = "/etc/edgekeeper.d/services"
}

control {
  socket = "/tmp/director.sock"
}

telemetry {
  address = "[::]:9100"
}

ipvs {
  expire_nodest_conn        = false
  expire_quiescent_template = false
  conn_reuse_mode           = 0
  conntrack                 = true
  tcp_timeout               = "30m"
  tcp_fin_timeout           = "30s"
  udp_timeout               = "10s"

  connection_sync {
    interface  = "eth1"
    vrrp       = "v2"
    id         = 7
    group      = "224.0.0.82"
    port       = 9000
    ttl        = 3
    max_length = 1200
  }
}

real_server_agent {
  virtual_addresses = ["192.0.2.1", "2001:db8::1"]
  interface         = "dummy0"
  manage_sysctls    = false
}

process {
  realtime_priority = 40
  lock_memory       = true
}

vrrp "v2" {
  interface         = "eth0"
  virtual_router_id = 10
  version           = 2
  priority          = 150
  advert_interval   = "2s"
  down_multiplier   = 4
  preempt_delay     = "30s"
  source_address    = "192.0.2.251"
  unicast_peers     = ["192.0.2.252", "192.0.2.253"]
  lease             = "off"
  garp_repeat       = 3
  garp_delay        = "0s"
  garp_refresh      = "1m"
  conflict_probe    = "5s"
  answer_lower      = false

  authentication {
    type        = "ah"
    secret_file = "testdata/vrrp-secret"
  }

  virtual_address "192.0.2.1/24" {
    label     = "bond0:vip"
    device    = "bond0"
    scope     = "link"
    broadcast = "192.0.2.255"
  }
  virtual_address "2001:db8:2::1/64" {
    advertise = false
  }
}

vrrp "v3" {
  interface         = "eth0"
  virtual_router_id = 11
  version           = 3
  advert_interval   = "250ms"
  preempt           = false
  checksum          = "plain"

  virtual_address "192.0.2.2" {}
}

vrrp "v6" {
  interface         = "eth0"
  virtual_router_id = 11 # one per address family

  virtual_address "fe80::2/64" {}
  virtual_address "2001:db8::1/64" {}
}

virtual_server "web" {
  address                 = "192.0.2.1:80"
  scheduler               = "sh"
  scheduler_flags         = ["sh-port", "sh-fallback"]
  forward                 = "tun"
  persistence             = "5m"
  persistence_granularity = 24
  health                  = "consul-or-native"
  on_failure              = "remove"
  weight                  = 10
  drain_timeout           = "10m"
  max_removal             = 0.25
  removal_window          = "30s"
  panic_threshold         = 0.1
  quorum                  = 5
  hysteresis              = 2

  service "web" {
    tags       = ["prod", "v2"]
    datacenter = "dc2"
    namespace  = "shop"
    partition  = "east"
    filter     = "Service.Meta.pool == \"blue\""
    near       = "_agent"
  }
  service "legacy" {
    source = "file"
    port   = 80
  }
  service "web" {
    peer = "partner"
  }

  real_server "192.0.2.20" {
    weight          = 100
    forward         = "nat"
    upper_threshold = 1000
    lower_threshold = 800
  }
  real_server "[2001:db8::20]:80" {}

  sorry_server "192.0.2.99:8080" {
    forward = "nat"
  }

  tunnel {
    type     = "gue"
    port     = 6080
    checksum = "remcsum"
  }

  check "http" {
    interval    = "10s"
    timeout     = "4s"
    retries     = 5
    retry_delay = "500ms"
    rise        = 3
    port        = 8080
    path        = "/health?full=1"
    method      = "POST"
    host        = "www.example.com"
    status      = "200-204, 301"
    body        = "^ok"

    jitter         = "1s"
    initial        = "up"
    address        = "192.0.2.77"
    source_address = "192.0.2.78"
    mark           = 4294967295
    headers        = ["Content-Type: application/json", "X-A: 1"]
    request_body   = "{\n  \"deep\": true\n}"
    http_version   = "2"
    body_not       = "maintenance"
    digest         = "5D41402ABC4B2A76B9719D911017C592"
  }
  check "tcp" {
    send       = "PING\r\n"
    expect     = "^\\+PONG\r\n"
    expect_hex = "2B xx"

    tls                 = true
    tls_ca_file         = "/etc/ca.pem"
    tls_cert_file       = "/etc/cert.pem"
    tls_key_file        = "/etc/key.pem"
    tls_min_version     = "1.3"
    certificate_warning = "336h"
  }
  check "https" {
    tls_server_name = "www.example.com"
    tls_skip_verify = true
  }
}

virtual_server "dns" {
  address    = "[2001:db8::1]:53"
  protocol   = "udp"
  one_packet = true

  real_server "2001:db8::53" {}
  check "tcp" {}
  check "tcp" {
    send_hex = "00 01"
  }
  check "grpc" {
    host    = "cart.example.com"
    service = "shop.Cart"
    tls     = true
  }
  check "dns" {
    name    = "www.example.com"
    type    = "AAAA"
    answer  = "^AAAA 2001:db8::"
    dns_tcp = true
  }
  check "smtp" {
    helo = "lvs1.example.com"
    tls  = true
  }
  check "udp" {
    send   = "ping"
    expect = "pong"
  }
  check "icmp" {}
  check "redis" {
    user     = "probe"
    password = "s3cret"
  }
  check "redis" {
    password_env = "MAIL_PASSWORD"
  }
  check "redis" {
    password_file = "testdata/vrrp-secret"
  }
  check "postgres" {
    user     = "probe"
    database = "shop"
  }
  check "mysql" {}
  check "exec" {
    command        = ["/usr/local/bin/load", "-v"]
    user           = "nobody"
    environment    = ["A=1", "B=2"]
    dynamic_weight = true
  }
  check "file" {
    file    = "/run/weight-{address}"
    missing = 1
    weight  = -10
  }
}

vrrp "owner" {
  interface         = "eth0"
  virtual_router_id = 12
  state             = "master" # so the priority is 255
  unicast_ttl       = 64

  unicast_peer "192.0.2.252" {
    min_ttl = 60
    max_ttl = 64
  }
  authentication {
    type        = "hmac"
    mode        = "permissive"
    active_key  = 2
    time_window = "10s"

    key "1" {
      hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    }
    key "2" {
      secret = "hex:202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
    }
    key "3" {
      secret_env = "HMAC_KEY"
    }
    key "255" {
      secret_file = "testdata/hmac-key"
    }
  }
  virtual_address "192.0.2.3/24" {}
}

vrrp "monotonic" {
  interface         = "eth0"
  virtual_router_id = 12

  authentication {
    type        = "hmac"
    anti_replay = "monotonic"

    key "1" {
      secret_env = "HMAC_KEY"
    }
  }
  virtual_address "2001:db8::3/64" {}
}

vrrp "found" {
  interface         = "eth0"
  virtual_router_id = 13
  version           = 3
  unicast_ttl       = 200

  unicast_service "edge-directors" {
    source     = "consul"
    tags       = ["prod"]
    datacenter = "dc2"
    namespace  = "ns"
    partition  = "part"
    peer       = "cluster-2"
    filter     = "Node.Meta.role == \"edge\""
    linger     = "1m"
    min_ttl    = 199
    max_ttl    = 200
  }
  virtual_address "192.0.2.4/24" {}
}

vrrp "found-in-files" {
  interface         = "eth0"
  virtual_router_id = 14

  unicast_service "edge-directors" {
    source = "file"
  }
  virtual_address "192.0.2.5/24" {}
}
