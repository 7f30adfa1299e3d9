# A service of a Nomad that is not there.
virtual_server "web" {
  address = "10.0.0.100:80"
  nomad_service "web" {}
}

# want: 4:17: nomad_service "web" has no Nomad to come from: write a nomad block, or set NOMAD_ADDR
