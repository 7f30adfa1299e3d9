vrrp {
}

consul "main" {
}

virtual_server "a" "b" {
}

virtual_server "" {
}

virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
  check "icmp" {}
  check "htps" {}
}

# want: 1:1: vrrp needs a label: the name of the instance
# want: 1:1: vrrp needs interface
# want: 1:1: vrrp needs virtual_router_id
# want: 4:8: consul takes no label
# want: 7:20: virtual_server takes one label only
# want: 10:16: the label of virtual_server is empty; it is its name, which KV keys and commands use
# want: 17:9: check "htps" is unknown, must be "tcp", "http", "https", "grpc", "dns", "smtp", "udp", "icmp", "redis", "postgres", "mysql", "exec", "file" or "vip", did you mean "https"?
