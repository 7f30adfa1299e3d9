virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
  health = "native"
}

virtual_server "b" {
  address = "192.0.2.1:81"
  real_server "192.0.2.2" {}
  health = "consul"
  check "tcp" {}
}

virtual_server "c" {
  address = "192.0.2.1:82"
  real_server "192.0.2.2" {}
  health = "consul-or-native"
}

# want: 4:12: health = "native" needs a check block
# want: 10:12: health = "consul" needs a service block: no catalog knows the real servers written here
# want: 17:12: health = "consul-or-native" needs a check block
