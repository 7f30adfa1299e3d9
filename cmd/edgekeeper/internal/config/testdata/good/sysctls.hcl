# The kernel's settings are somebody else's business here.
ipvs {
  manage_sysctls = false
}

consul {
  token_file = "/secrets/consul_token"
}

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 1
  lease             = "2s"

  virtual_address "192.0.2.1/24" {}
}
