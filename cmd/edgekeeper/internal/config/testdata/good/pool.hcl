# The rules of a pool: how a real server begins, and who stands in for it.
virtual_server "slow" {
  address   = "192.0.2.1:80"
  active_on = "master"
  weight  = 100

  real_server "192.0.2.11" {
    weight = 100
  }
  slow_start {
    window     = "1m"
    aggression = 1.5
    min_weight = 0.05
  }
}

consul {}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.1/24" {}
}
vrrp "VI_2" {
  interface         = "eth1"
  virtual_router_id = 51
  virtual_address "198.51.100.1/24" {}
}

virtual_server "other-site" {
  address   = "192.0.2.1:81"
  forward   = "nat"
  active_on = "master"
  vrrp      = "VI_2"

  service "web" {
    port = 81
  }
  check "tcp" {}
  fallback "dc2" {
    forward = "tun"
    weight  = 5

    service "web" {
      datacenter = "dc2"
      port       = 81
    }
    real_server "198.51.100.9" {}
    check "tcp" {
      interval = "10s"
    }
  }
  tunnel {
    type = "gre"
  }
  sorry_server "192.0.2.250" {
    check = true
  }
}
