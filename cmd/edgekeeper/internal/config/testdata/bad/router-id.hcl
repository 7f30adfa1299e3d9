router_id = "dc1/lvs1"

vrrp "VI 1" {
  interface         = "eth0"
  virtual_router_id = 51

  virtual_address "192.0.2.1/24" {}
}

virtual_server "web/a" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
}

virtual_server "node" {
  address = "192.0.2.1:81"
  real_server "192.0.2.2" {}
}

# want: 1:13: router_id: "dc1/lvs1" holds a slash, which separates parts of KV keys
# want: 3:6: vrrp: "VI 1" holds a space or control character
# want: 10:16: virtual_server: "web/a" holds a slash, which separates parts of KV keys
# want: 15:16: virtual_server "node": the name is taken, drain/node/ is the KV folder of node drains
