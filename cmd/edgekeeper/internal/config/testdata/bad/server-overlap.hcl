virtual_server "group" {
  addresses = ["192.0.2.1-10:80-89", "192.0.2.20:0"]
  real_server "192.0.2.2" {}
}

virtual_server "within" {
  address = "192.0.2.5:81"
  real_server "192.0.2.2" {}
}

virtual_server "every-port-around" {
  address     = "192.0.2.5:0"
  persistence = "1m"
  real_server "192.0.2.2" {}
}

virtual_server "every-port-both" {
  address     = "192.0.2.20:0"
  persistence = "1m"
  real_server "192.0.2.2" {}
}

virtual_server "other-protocol" {
  address  = "192.0.2.5:81"
  protocol = "udp"
  real_server "192.0.2.2" {}
}

virtual_server "groups" {
  addresses = ["192.0.2.50:80", "192.0.2.10-19:89-90"]
  real_server "192.0.2.2" {}
}

virtual_server "range-over-one" {
  address = "192.0.2.5-6:90"
  real_server "192.0.2.2" {}
}

virtual_server "behind" {
  address = "192.0.2.6:90"
  real_server "192.0.2.2" {}
}

virtual_server "g7" {
  addresses = ["192.0.9.1:80"]
  real_server "192.0.2.2" {}
}

# want: 7:13: tcp 192.0.2.5:81 takes packets of 192.0.2.1-192.0.2.10:80-89, which virtual_server "group" at server-overlap.hcl:1:16 is for
# want: 18:17: tcp 192.0.2.20:0 takes packets of 192.0.2.20:0, which virtual_server "group" at server-overlap.hcl:1:16 is for
# want: 30:15: tcp 192.0.2.10-192.0.2.19:89-90 takes packets of 192.0.2.1-192.0.2.10:80-89, which virtual_server "group" at server-overlap.hcl:1:16 is for
# want: 40:13: tcp 192.0.2.6:90 takes packets of 192.0.2.5-192.0.2.6:90, which virtual_server "range-over-one" at server-overlap.hcl:34:16 is for
