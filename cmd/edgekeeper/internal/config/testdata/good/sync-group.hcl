# A firewall: both sides move together.
vrrp "outside" {
  interface         = "eth0"
  virtual_router_id = 51
  priority          = 150
  virtual_address "192.0.2.1/24" {}
}

vrrp "inside" {
  interface         = "eth1"
  virtual_router_id = 51
  preempt           = false
  virtual_address "198.51.100.1/24" {}

  track_interface "eth2" { weight = -20 }
}

sync_group "edge" {
  instances = ["outside", "inside"]

  track_interface "eth2" {}
  track_interface "eth3" {
    weight     = 10
    reverse    = true
    up_delay   = "2s"
    down_delay = "1s"
  }
  track "maintenance" {
    weight  = -100
    reverse = true
  }
  track_virtual_server "web" {
    weight  = -50
    reverse = true
  }
}

track_file "maintenance" {
  path = "/run/edgekeeper-maintenance"
}

virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.10:80" {}
  check "tcp" {}
}

notify "exec" "firewall" {
  command   = ["/usr/local/sbin/on-vrrp"]
  events    = ["group"]
  instances = ["edge"]
  states    = ["MASTER"]
}
