track_script "gateway" {
  command = ["/usr/bin/env", "ping", "-c", "1", "-W", "1", "198.51.100.1"]
  user    = "root"
}

vrrp "outside" {
  interface         = "eth0"
  virtual_router_id = 1
  version           = 2
  priority          = 120
  advert_interval   = "1s"
  # as keepalived; "restore" would put a lost address back without an election
  on_address_loss = "step-down"

  virtual_address "198.51.100.2/24" {
  }
  virtual_route "192.0.2.0/24" {
    via    = "198.51.100.1"
    device = "eth0"
    metric = 10
  }
  virtual_route "0.0.0.0/0" {
    via    = "198.51.100.1"
    source = "198.51.100.2"
    table  = 100
  }
  virtual_route "10.20.0.0/16" {
    type  = "blackhole"
    track = false
  }
  virtual_route "203.0.113.0/24" {
    nexthop "198.51.100.1" {
      weight = 2
    }
    nexthop "198.51.100.3" {
      device = "eth0"
    }
  }
  virtual_route "198.18.0.0/15" {
    source = "198.51.100.2"
    via    = "198.51.100.1"
  }
  virtual_rule {
    from     = "198.51.100.2/32"
    table    = 100
    priority = 200
  }
  virtual_rule {
    from     = "10.1.0.0/16"
    to       = "10.2.0.0/16"
    iif      = "eth1"
    table    = 100
    priority = 201
  }
  virtual_rule {
    fwmark   = "0x1/0xf"
    table    = 100
    priority = 202
  }
  virtual_rule {
    to       = "203.0.113.0/24"
    action   = "unreachable"
    priority = 16384
  }
}

vrrp "inside" {
  interface         = "eth1"
  virtual_router_id = 1
  version           = 2
  priority          = 120
  advert_interval   = "1s"
  # as keepalived; "restore" would put a lost address back without an election
  on_address_loss = "step-down"

  virtual_address "10.0.0.1/24" {
  }
}

sync_group "edge" {
  instances = ["outside", "inside"]

  track "gateway" {
  }
}

notify "exec" "edge-notify_master" {
  events           = ["group"]
  instances        = ["edge"]
  states           = ["MASTER"]
  append_arguments = false
  command          = ["/usr/local/sbin/group", "master"]
}

notify "exec" "edge-notify" {
  events    = ["group"]
  instances = ["edge"]
  command   = ["/usr/local/sbin/group"]
}
