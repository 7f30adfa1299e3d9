virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
}

virtual_server "web" {
  address = "192.0.2.1:81"
  real_server "192.0.2.2" {}
}

# want: 6:16: virtual_server "web" is already defined at server-same-name.hcl:1:16
