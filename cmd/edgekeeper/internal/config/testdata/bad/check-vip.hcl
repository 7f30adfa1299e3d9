virtual_server "nat" {
  address = "192.0.2.1:80"
  forward = "nat"
  real_server "192.0.2.2" {}
  check "vip" {}
}

virtual_server "mixed" {
  address = "192.0.2.1:81"
  forward = "nat"
  real_server "192.0.2.2" {
    check "vip" {}
  }
  real_server "192.0.2.3" {
    forward = "dr"
    check "vip" {
      mark = 1
    }
    check "tcp" {}
  }
  check "tcp" {}
}

virtual_server "group" {
  addresses = ["192.0.2.1-3:82"]
  real_server "192.0.2.2" {
    check "vip" {
      virtual_address = "192.0.2.1"
    }
    check "tcp" {}
  }
  check "vip" {
    port  = 82
    probe = "icmp"
  }
}

virtual_server "family" {
  address = "192.0.2.1:83"
  real_server "192.0.2.2" {}
  check "vip" {
    virtual_address = "2001:db8::1"
  }
  check "vip" {
    source_address = "2001:db8::1"
  }
  check "vip" {
    virtual_address = "here"
    address         = "192.0.2.2"
  }
}

virtual_server "own" {
  address = "192.0.2.1:84"
  health  = "native"
  real_server "192.0.2.2" {
    check "http" {
      tls = true
    }
    check "tcp" {
      retries = 1
    }
    check "tcp" {
      retries = 1
    }
  }
}

# want: 5:9: check "vip" has no effect: nat replaces the virtual address before a real server sees it
# want: 12:11: check "vip" has no effect: nat replaces the virtual address before a real server sees it
# want: 17:7: mark is for "tcp", "http", "https", "grpc", "dns", "smtp", "udp", "icmp", "redis", "postgres" or "mysql" checks, this one is "vip"
# want: 19:11: check "tcp" is made of every real server of virtual_server "mixed" already
# want: 27:11: check "vip" needs port, or probe = "icmp": the virtual server is for more than one port
# want: 30:11: check "tcp" needs port: the virtual server is for more than one, and its real servers have none
# want: 32:9: check "vip" needs virtual_address: the virtual server may have several, and each takes a check of its own
# want: 33:13: port has no effect: the virtual address is sent an echo request
# want: 42:23: virtual_address is IPv6, the virtual server is IPv4
# want: 45:22: source_address is IPv6, the virtual address is IPv4
# want: 48:23: virtual_address: "here" is not an IP address
# want: 49:5: address is for "tcp", "http", "https", "grpc", "dns", "smtp", "udp", "icmp", "redis", "postgres" or "mysql" checks, this one is "vip"
# want: 58:7: tls is for "tcp", "grpc", "smtp", "redis" or "postgres" checks, this one is "http"
# want: 63:11: check "tcp" is the same as the one at check-vip.hcl:60:11
