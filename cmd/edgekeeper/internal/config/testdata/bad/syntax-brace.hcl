routerid = "lvs1"

vrrp "VI_1" {
  interface = "eth0"
  virtual_router_id = 900

virtual_server "web" {
  adress = "192.0.2.1:80"
}

# want: 1:1: the configuration has no argument "routerid", did you mean "router_id"?
# want: 3:13: unclosed configuration block: there is no closing brace for this block before the end of the file
# want: 8:3: virtual_server has no argument "adress", did you mean "address"?
