# A token written down.
nomad { token = "secret" }
virtual_server "web" {
  address = "10.0.0.100:80"
  nomad_service "web" {}
}
