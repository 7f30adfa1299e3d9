# Nomad's native services, beside Consul's.
consul {}
nomad {
  address         = "https://127.0.0.1:4646"
  token_file      = "/secrets/nomad"
  region          = "eu"
  namespace       = "edge"
  ca_cert         = "/ca.pem"
  client_cert     = "/cert.pem"
  client_key      = "/key.pem"
  tls_server_name = "server.eu.nomad"
  max_stale_start = "1h"
}
virtual_server "web" {
  address = "10.0.0.100:80"
  service "web" {}
  nomad_service "web" {
    tags      = ["prod"]
    namespace = "shop"
    filter    = "Datacenter == \"dc1\""
    port      = 80
  }
}
