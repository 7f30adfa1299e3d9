virtual_server "web" {
  address = "192.0.2.1:80"
  service "web" {}
  service "api" {
    source = "consul"
  }
  service "old" {
    source = "file"
  }
}

# want: 3:11: service "web" has no catalog to come from: write a consul or a file_catalog block, or set CONSUL_HTTP_ADDR
# want: 5:14: source is "consul", but there is no consul block and CONSUL_HTTP_ADDR is not set
# want: 8:14: source is "file", but there is no file_catalog block
