# Every way of tracking, each argument away from its default.
consul {}

track_script "nginx" {
  command   = ["/usr/bin/curl", "-f", "http://127.0.0.1/"]
  interval  = "2s"
  timeout   = "1500ms"
  rise      = 2
  fall      = 3
  user      = "nobody:daemon"
  init_fail = true
}
track_script "disk" {
  shell = "test $(df --output=avail / | tail -1) -gt 1000000"
}
track_file "maintenance" {
  path    = "/run/maintenance"
  missing = -10
  create  = true
}
track_process "haproxy" {
  process         = "haproxy"
  arguments       = ["-f", "/etc/haproxy"]
  arguments_match = "partial"
  quorum          = 2
  quorum_max      = 4
  up_delay        = "1s"
  down_delay      = "2s"
  interval        = "5s"
}
track_process "batch" {
  process    = "/usr/bin/batch"
  quorum     = 0
  quorum_max = 0
}
track_consul "db" {
  service       = "postgres"
  node          = "db1"
  tags          = ["primary"]
  passing       = 2
  allow_warning = true
  datacenter    = "dc2"
}
track_consul "node" {
  check = "serfHealth"
  node  = "lvs1"
}

vrrp "VI_1" {
  interface           = "eth0"
  virtual_router_id   = 51
  track_own_interface = false
  virtual_address "192.0.2.1/24" {}

  track "nginx" {
    weight = -20
  }
  track "disk" {}
  track "maintenance" {
    weight = 1
  }
  track "haproxy" {
    weight  = 30
    reverse = true
  }
  track "batch" {
    reverse = true
  }
  track "db" {
    weight = -5
  }
  track "node" {}
  track_interface "eth0" {
    weight = -50
  }
  track_interface "eth1" {
    weight     = 10
    reverse    = true
    up_delay   = "3s"
    down_delay = "1s"
  }
  track_virtual_server "web" {
    weight  = -30
    reverse = true
  }
}
vrrp "VI_2" {
  interface         = "eth0"
  virtual_router_id = 52
  virtual_address "192.0.2.2/24" {}
  track_virtual_server "web" {}
  track "nginx" {}
}

virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.10" {}
  check "tcp" {}
}
