# Nomad's native services.
nomad {
  address     = "127.0.0.1:4646"
  token       = "secret"
  token_file  = "/secrets/nomad"
  client_cert = "/cert.pem"
}
virtual_server "web" {
  address = "10.0.0.100:80"
  nomad_service "web" {}
  nomad_service "web" {}
  nomad_service "api" {
    port       = 8080
    datacenter = "dc1"
  }
}

# want: 3:17: address: "127.0.0.1:4646" is not a URL such as "http://127.0.0.1:4646"
# want: 5:17: token and token_file exclude each other
# want: 6:17: client_cert and client_key go together, one is missing
# want: 11:17: nomad_service "web" asks the same as the block at nomad.hcl:10:17
# want: 13:18: nomad_service "api" has port 8080, the virtual server has 80: direct routing does not translate ports; use the same port, or forward = "nat"
# want: 14:5: nomad_service has no argument "datacenter"
