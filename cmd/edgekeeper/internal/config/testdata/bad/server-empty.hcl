virtual_server "web" {
  address = "192.0.2.1:80"
}

virtual_server "b" {
  address = "192.0.2.1:81"
  sorry_server "192.0.2.9" {}
}

# want: 1:16: virtual_server "web" has no real servers: it needs a service, a nomad_service or a real_server block
# want: 5:16: virtual_server "b" has no real servers: it needs a service, a nomad_service or a real_server block
