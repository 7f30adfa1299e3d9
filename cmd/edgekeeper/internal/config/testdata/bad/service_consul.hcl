# What a service block asks of Consul.
consul {}
virtual_server "web" {
  address = "10.0.0.100:80"
  service "web" {
    poll_interval = "5s"
    gateway       = "edge"
    node_meta     = ["rack", "rack=r1", "rack=r2", "a b=c"]
    checks        = ["ready"]
    ignore_checks = ["ready", "_node_maintenance", "serfHealth"]
  }
  service "db" {
    prepared_query = "geo-db"
    failover       = ["dc2"]
    filter         = "Service.Port == 80"
    gateway        = "mesh"
  }
  service "api" {
    datacenter = "dc1"
    failover   = ["dc2", "dc1", "dc2"]
  }
  service "far" {
    peer     = "other"
    failover = ["dc2"]
  }
  service "mesh" {
    peer    = "other"
    gateway = "mesh"
  }
  service "odd" {
    checks = ["a\u0001b"]
  }
}

# want: 6:21: poll_interval has no effect without prepared_query: Consul says at once when a service changes
# want: 7:21: gateway is "edge", must be "api", "ingress", "mesh" or "terminating"
# want: 8:22: node_meta: "rack" is not key=value, such as "rack=r1"
# want: 8:30: node_meta: "rack" has a second value, and no node has two
# want: 8:41: node_meta: "rack" has a second value, and no node has two
# want: 8:52: node_meta: "a b=c" is not key=value, such as "rack=r1"
# want: 10:22: ignore_checks: "ready" is listed in checks too
# want: 10:31: ignore_checks: "_node_maintenance" is maintenance, which always counts
# want: 14:22: prepared_query and failover exclude each other: the query's definition says that
# want: 15:22: prepared_query and filter exclude each other: the query's definition says that
# want: 16:22: prepared_query and gateway exclude each other: the query's definition says that
# want: 20:26: failover: "dc1" is asked already
# want: 20:33: failover: "dc2" is asked already
# want: 24:16: failover and peer exclude each other: a peer is no datacenter of this cluster
# want: 27:15: gateway and peer exclude each other: a gateway belongs to this cluster's mesh
# want: 31:15: checks holds a control character
