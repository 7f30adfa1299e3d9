# Two hosts that keep one address between them, without IPVS: the service
# (nginx, HAProxy, MySQL, httpd) runs on both. This is the first host; the second
# has its own router_id and priority = 80.

router_id = "chengdu"

vrrp "VI_1" {
  interface         = "ens32"
  virtual_router_id = 51
  priority          = 100
  advert_interval   = "1s"

  authentication {
    type   = "pass"
    secret = "1111"
  }

  virtual_address "192.168.1.100/24" {
    label = "ens32:0"
  }
}
