vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 1
  unicast_peers     = ["192.0.2.7"]
  unicast_service "edge" {
    min_ttl = 200
    max_ttl = 100
    near    = "_agent"
    linger  = "-1s"
  }
  virtual_address "192.0.2.1/24" {}
}

vrrp "VI_2" {
  interface         = "eth0"
  virtual_router_id = 2
  unicast_service "edge" {}
  unicast_service "edge2" {}
  virtual_address "192.0.2.2/24" {}
}

# want: 5:19: unicast_service excludes unicast_peers and unicast_peer: the peers are either written or found
# want: 5:19: unicast_service "edge" has no catalog to come from: write a consul or a file_catalog block, or set CONSUL_HTTP_ADDR
# want: 6:15: min_ttl is 200 and max_ttl 100: no advert could pass
# want: 8:5: unicast_service has no argument "near"
# want: 9:15: linger is "-1s", must be from 0s to 24h
# want: 17:19: unicast_service "edge" has no catalog to come from: write a consul or a file_catalog block, or set CONSUL_HTTP_ADDR
# want: 18:19: only one unicast_service block is allowed, there is one at vrrp-unicast-service.hcl:17:19
