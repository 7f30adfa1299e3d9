vrrp "preempt" {
  interface         = "eth0"
  virtual_router_id = 1
  state             = "master"
  priority          = 150
  preempt           = false
  virtual_address "192.0.2.1/24" {}
}

vrrp "owner" {
  interface         = "eth0"
  virtual_router_id = 2
  state             = "MASTER"
  virtual_address "192.0.2.2/24" {}
}

vrrp "delay" {
  interface         = "eth0"
  virtual_router_id = 3
  state             = "master"
  preempt_delay     = "5s"
  virtual_address "192.0.2.3/24" {}
}

vrrp "backup" {
  interface         = "eth0"
  virtual_router_id = 4
  state             = "backup"
  priority          = 255
  virtual_address "192.0.2.4/24" {}
}

vrrp "both" {
  interface         = "eth0"
  virtual_router_id = 5
  state             = "master"
  preempt           = false
  virtual_address "192.0.2.5/24" {}
}

# want: 6:23: preempt = false has no effect with state = "master"; write state = "backup" on all routers, or leave it out
# want: 13:23: state is "MASTER", must be "master" or "backup", did you mean "master"?
# want: 21:23: preempt_delay has no effect with state = "master"; write state = "backup", or leave it out
# want: 28:23: state = "backup" contradicts priority 255: the owner of the addresses begins as master
# want: 37:23: preempt = false has no effect: priority 255 owns the addresses and always takes them
