vrrp "VI_1" {
}

virtual_server "web" {
}

file_catalog {
}

real_server_agent {
}

vrrp "VI_2" {
  interface = "eth0"
  virtual_router_id = 2
  authentication {
  }
}

# want: 1:6: vrrp "VI_1" needs interface
# want: 1:6: vrrp "VI_1" needs virtual_router_id
# want: 1:6: vrrp "VI_1" needs a virtual_address block
# want: 4:16: virtual_server "web" needs one of address, addresses and fwmark
# want: 4:16: virtual_server "web" has no real servers: it needs a service, a nomad_service or a real_server block
# want: 7:1: file_catalog needs path
# want: 10:1: real_server_agent needs virtual_addresses
# want: 13:6: vrrp "VI_2" needs a virtual_address block
# want: 16:3: authentication needs type
# want: 16:3: authentication needs one of secret, secret_file and secret_env
