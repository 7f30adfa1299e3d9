# What only Consul can be asked.
file_catalog { path = "/etc/services" }
virtual_server "web" {
  address = "10.0.0.100:80"
  service "web" {
    tagged_address = "wan"
    prepared_query = "q"
    ignore_checks  = ["serfHealth"]
  }
}

# want: 6:22: tagged_address is for source "consul", service "web" comes from the file catalog
# want: 7:22: prepared_query is for source "consul", service "web" comes from the file catalog
# want: 8:22: ignore_checks is for source "consul", service "web" comes from the file catalog
