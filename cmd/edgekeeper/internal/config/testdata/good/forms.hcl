# Every form of a virtual server.
ipvs {
  fwmark_base = 1000
}

file_catalog {
  path = "/etc/edgekeeper.d/services"
}

virtual_server "one" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
}

virtual_server "every-port" {
  address     = "192.0.2.1:0"
  persistence = "6m"
  real_server "192.0.2.2" {}
  service "web" {}
  check "tcp" {
    port = 80
  }
}

virtual_server "six" {
  address = "[2001:db8::1]:80"
  real_server "2001:db8::2" {}
}

virtual_server "range" {
  address = "192.0.2.1:8000-8099"
  real_server "192.0.2.2" {}
}

virtual_server "group" {
  addresses = ["192.0.2.10-19:80", "192.0.2.10-19:443", "192.0.2.24/29:0"]
  service "web" {}
  check "tcp" {}
}

virtual_server "group-to-one-port" {
  addresses = ["192.0.2.40-49:80"]
  forward   = "nat"
  real_server "192.0.2.2:8080" {}
  check "tcp" {}
}

virtual_server "group-six" {
  addresses = ["[2001:db8::10-1f]:80-89"]
  fwmark    = 77
  real_server "2001:db8::2" {}
}

virtual_server "mark" {
  fwmark     = 77
  one_packet = true
  real_server "192.0.2.2" {}
}

virtual_server "mark-six" {
  fwmark  = 78
  family  = "ipv6"
  forward = "tun"
  real_server "2001:db8::2" {}
  real_server "192.0.2.2" {}
}

virtual_server "sip" {
  address            = "192.0.2.1:5060"
  protocol           = "udp"
  persistence        = "60s"
  persistence_engine = "sip"
  one_packet         = true
  real_server "192.0.2.2" {}
}
