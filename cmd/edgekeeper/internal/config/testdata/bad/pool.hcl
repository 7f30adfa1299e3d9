virtual_server "slow" {
  address = "192.0.2.1:80"

  real_server "192.0.2.11" {}
  slow_start {
    window     = "500ms"
    aggression = 0
    min_weight = "10"
  }
  slow_start {}
}

consul {}

virtual_server "fallback" {
  address = "192.0.2.1:81"

  service "web" {}
  real_server "192.0.2.11" {}
  fallback "empty" {
    forward = "dl"
    check "tcp" {}
  }
  fallback "second" {
    service "web" {}
    real_server "192.0.2.11:81" {}
    real_server "192.0.2.12:82" {}
    slow_start {}
  }
  sorry_server "192.0.2.250" {
    check = true
  }
}

virtual_server "same" {
  address = "192.0.2.1:83"

  service "web" {}
  real_server "192.0.2.11" {}
  fallback "second" {
    service "web" {}
    real_server "192.0.2.11:83" {}
    real_server "192.0.2.12:82" {}
    slow_start {}
  }
}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.9/24" {}
}

virtual_server "nobody" {
  address   = "192.0.2.1:84"
  active_on = "master"
  real_server "192.0.2.11" {}
}

virtual_server "misspelt" {
  address   = "192.0.2.9:85"
  active_on = "master"
  vrrp      = "VI_11"
  real_server "192.0.2.11" {}
}

virtual_server "without" {
  address = "192.0.2.9:86"
  vrrp    = "VI_1"
  real_server "192.0.2.11" {}
}

virtual_server "word" {
  address   = "192.0.2.9:87"
  active_on = "backup"
  vrrp      = "VI_1"
  real_server "192.0.2.11" {}
}

# want: 6:18: window is "500ms", must be from 1s to 24h
# want: 7:18: aggression is 0, must be from 0.1 to 10
# want: 8:18: min_weight must be a number from 0 to 1, without quotes
# want: 10:3: only one slow_start block is allowed, there is one at pool.hcl:5:3
# want: 20:12: fallback "empty" has no real servers: it needs a service or a real_server block
# want: 21:15: forward is "dl", must be "dr", "nat" or "tun", did you mean "dr"?
# want: 24:12: only one fallback block is allowed, there is one at pool.hcl:20:12
# want: 28:5: fallback has no block "slow_start"
# want: 31:13: check has no effect: the virtual server has no check block
# want: 41:13: service "web" is in the virtual server's own pool already
# want: 42:17: real_server "192.0.2.11:83" is in the virtual server's own pool already
# want: 43:17: real_server "192.0.2.12:82" has port 82, the virtual server has 83: direct routing does not translate ports; use the same port, or forward = "nat"
# want: 44:5: fallback has no block "slow_start"
# want: 56:15: active_on: no vrrp block holds 192.0.2.1, so there is no master; name an instance with vrrp
# want: 63:15: vrrp: there is no vrrp "VI_11"
# want: 69:13: vrrp has no effect without active_on = "master"
# want: 75:15: active_on is "backup", must be "always" or "master"
