virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {
    weight = 4
  }
  quorum = 2
  hysteresis = 2
}

virtual_server "b" {
  address = "192.0.2.1:81"
  real_server "192.0.2.2" {
    weight = 4
  }
  quorum = 3
  hysteresis = 2
}

virtual_server "c" {
  address = "192.0.2.1:82"
  real_server "192.0.2.2" {}
  hysteresis = 1
}

# want: 7:16: hysteresis 2 must be less than quorum 2
# want: 15:12: quorum can never be reached: it takes a weight of 5, all real servers together have 4
# want: 22:16: hysteresis 1 must be less than quorum 1
