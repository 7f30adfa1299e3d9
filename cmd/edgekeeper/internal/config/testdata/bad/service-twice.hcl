consul {}

virtual_server "web" {
  address = "192.0.2.1:80"
  service "web" {
    tags = ["a"]
  }
  service "web" {
    tags = ["b"]
  }
  service "web" {
    tags = ["a"]
  }
  service "api" {
    port = 8080
  }
}

# want: 11:11: service "web" asks the same as the block at service-twice.hcl:5:11
# want: 15:12: service "api" has port 8080, the virtual server has 80: direct routing does not translate ports; use the same port, or forward = "nat"
