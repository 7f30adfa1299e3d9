# Everything that Consul can be asked of a service.
consul {
  max_stale_start = "1h"
  register {
    service          = "edge"
    vip_suffix       = "-address"
    tags             = ["prod"]
    ttl              = "9s"
    deregister_after = "1h"
  }
}
virtual_server "web" {
  address = "10.0.0.100:80"
  service "web" {
    failover       = ["dc2", "dc3"]
    tagged_address = "lan_ipv4"
    node_meta      = ["rack=r1", "class=a=b"]
    checks         = ["type:http", "ready"]
    ignore_checks  = ["serfHealth"]
    filter         = "Service.Meta.pool == \"blue\""
  }
  service "db" {
    prepared_query = "geo-db"
    poll_interval  = "30s"
    datacenter     = "dc2"
  }
  service "shop" {
    gateway = "api"
    port    = 80
  }
}
