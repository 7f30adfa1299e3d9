file_catalog {
  path = "/etc/services.d"
}

virtual_server "web" {
  address = "192.0.2.1:80"
  service "web" {
    datacenter = "dc2"
    filter     = "Service.Meta.a == 1"
    tags       = ["prod"]
  }
}

# want: 8:18: datacenter is for source "consul", service "web" comes from the file catalog
# want: 9:18: filter is for source "consul", service "web" comes from the file catalog
