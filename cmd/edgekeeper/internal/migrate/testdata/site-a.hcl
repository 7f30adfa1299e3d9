router_id = "chengdu"

vrrp "VI_1" {
  interface         = "ens32"
  virtual_router_id = 51
  version           = 2
  state             = "master"
  priority          = 100
  advert_interval   = "1s"
  # as keepalived; "restore" would put a lost address back without an election
  on_address_loss = "step-down"

  authentication {
    type   = "pass"
    secret = "1111"
  }
  virtual_address "192.168.1.100/24" {
    label = "ens32:0"
  }
}

notify "mail" "smtp_alert" {
  events    = ["vrrp"]
  instances = ["VI_1"]
  server    = "127.0.0.1:25"
  tls       = "none"
  from      = "lvs@example.com"
  to        = ["root@localhost"]
  timeout   = "30s"
}
