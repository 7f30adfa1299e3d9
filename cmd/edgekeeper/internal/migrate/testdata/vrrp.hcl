router_id = "lvs"

process {
  realtime_priority = 50
  lock_memory       = true
}

track_script "chk_haproxy" {
  command   = ["/usr/bin/killall", "-0", "haproxy"]
  interval  = "2s"
  rise      = 2
  fall      = 3
  init_fail = true
  user      = "root"
}

track_script "chk_port" {
  command = ["/bin/sh", "-c", "</dev/tcp/127.0.0.1/80"]
  timeout = "1s"
  user    = "nobody:nogroup"
}

track_file "maintenance" {
  path    = "/run/maintenance"
  create  = true
  missing = 0
}

track_process "haproxy" {
  process         = "haproxy"
  arguments       = ["-f", "/etc/haproxy"]
  arguments_match = "initial"
  quorum          = 2
  up_delay        = "1.5s"
  down_delay      = "3s"
}

vrrp "four" {
  interface           = "eth0"
  virtual_router_id   = 10
  version             = 3
  priority            = 150
  advert_interval     = "250ms"
  preempt             = false
  source_address      = "10.0.0.1"
  unicast_ttl         = 250
  unicast_peers       = ["10.0.0.2"]
  answer_lower        = false
  checksum            = "plain"
  accept              = false
  down_multiplier     = 4
  garp_repeat         = 2
  garp_delay          = "10s"
  garp_refresh        = "60s"
  garp_refresh_repeat = 2
  garp_lower_repeat   = 3
  garp_lower_delay    = "0s"
  garp_interval       = "1ms"
  interface_up_delay  = "2s"
  # as keepalived; "restore" would put a lost address back without an election
  on_address_loss = "step-down"

  unicast_peer "10.0.0.3" {
    min_ttl = 254
    max_ttl = 255
  }
  virtual_address "10.0.0.10/24" {
    label = "eth0:vip"
  }
  virtual_address "10.0.1.10/24" {
    device = "eth1"
  }
  virtual_address "2001:db8::10/64" {
    advertise = false
  }
  virtual_address "10.0.0.11/32" {
    advertise = false
  }
  virtual_address "2001:db8::11/64" {
    deprecated        = true
    detect_duplicates = true
    advertise         = false
  }
  track_interface "eth1" {
    weight     = -30
    up_delay   = "1s"
    down_delay = "1s"
  }
  track "chk_haproxy" {
    weight = -20
  }
  track "chk_port" {
  }
  track "maintenance" {
    weight  = 5
    reverse = true
  }
  track "haproxy" {
    weight = 10
  }
}

vrrp "six" {
  interface            = "eth1"
  virtual_router_id    = 10
  version              = 3
  state                = "master"
  priority             = 200
  advert_interval      = "1s"
  track_own_interface  = false
  garp_repeat          = 2
  garp_delay           = "10s"
  garp_interval        = "1ms"
  interface_up_delay   = "1s"
  interface_down_delay = "1s"
  # as keepalived; "restore" would put a lost address back without an election
  on_address_loss = "step-down"

  vmac {
    name          = "vrrp6.ten"
    transmit_base = true
  }
  virtual_address "fe80::10/128" {
  }
  virtual_address "2001:db8:1::10/64" {
  }
}

vrrp "ah" {
  interface            = "eth0"
  virtual_router_id    = 12
  version              = 2
  state                = "backup"
  priority             = 100
  advert_interval      = "1s"
  garp_repeat          = 2
  garp_delay           = "10s"
  garp_interval        = "1ms"
  interface_up_delay   = "2s"
  interface_down_delay = "1.5s"
  # as keepalived; "restore" would put a lost address back without an election
  on_address_loss     = "step-down"
  track_own_interface = false

  authentication {
    type   = "ah"
    secret = "k4l9"
  }
  virtual_address "10.0.0.12/32" {
  }
  track_interface "eth0" {
    weight     = 10
    up_delay   = "2s"
    down_delay = "1.5s"
  }
}

vrrp "owner" {
  interface            = "eth0"
  virtual_router_id    = 13
  version              = 3
  state                = "master"
  priority             = 255
  advert_interval      = "1s"
  garp_repeat          = 2
  garp_delay           = "10s"
  garp_interval        = "1ms"
  interface_up_delay   = "2s"
  interface_down_delay = "1.5s"
  # as keepalived; "restore" would put a lost address back without an election
  on_address_loss = "step-down"

  virtual_address "10.0.0.13/32" {
  }
}

notify "exec" "four-notify_master" {
  events           = ["vrrp"]
  instances        = ["four"]
  states           = ["MASTER"]
  append_arguments = false
  command          = ["/usr/local/sbin/to-master", "the edge", "x"]
}

notify "exec" "four-notify_backup" {
  events           = ["vrrp"]
  instances        = ["four"]
  states           = ["BACKUP"]
  append_arguments = false
  command          = ["/usr/local/sbin/to-backup"]
}

notify "exec" "four-notify" {
  events    = ["vrrp"]
  instances = ["four"]
  command   = ["/usr/local/sbin/any"]
}
