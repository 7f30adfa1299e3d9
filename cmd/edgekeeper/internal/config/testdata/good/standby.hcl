# The second host of a hot standby.
router_id = "shanghai"

vrrp "VI_1" {
  interface         = "ens32"
  virtual_router_id = 51
  priority          = 80

  authentication {
    type       = "pass"
    secret_env = "VRRP_SECRET"
  }

  virtual_address "192.168.1.100/24" {
    label = "ens32:0"
  }
}
