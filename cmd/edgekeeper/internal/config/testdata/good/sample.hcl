# Four virtual addresses on one instance, and a virtual server with masquerading.
router_id = "LVS_DEVEL"

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  priority          = 100

  authentication {
    type   = "pass"
    secret = "1111"
  }

  virtual_address "192.168.200.16" {}
  virtual_address "192.168.200.17" {}
  virtual_address "192.168.200.18" {}
  virtual_address "61.139.2.69/30" {
    device = "eth1"
    label  = "eth1:0"
  }
}

virtual_server "https" {
  address     = "192.168.200.100:443"
  scheduler   = "rr"
  forward     = "nat"
  persistence = "50s"

  real_server "192.168.201.100:443" {
    weight = 1
  }

  check "https" {
    path            = "/"
    status          = "200"
    timeout         = "3s"
    retries         = 3
    retry_delay     = "3s"
    tls_skip_verify = true
  }
}
