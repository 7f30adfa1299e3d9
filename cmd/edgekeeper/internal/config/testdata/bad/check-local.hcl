virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
  check "exec" {
    mark = 1
  }
  check "exec" {
    command     = ["load"]
    environment = ["A"]
    rise        = 2
  }
  check "exec" {
    command = []
    rise    = 3
    file    = "/a"
  }
  check "file" {
    address = "192.0.2.3"
  }
  check "file" {
    file   = "weight"
    weight = 65536
  }
}

# want: 4:9: check "exec" needs command
# want: 5:5: mark is for "tcp", "http", "https", "grpc", "dns", "smtp", "udp", "icmp", "redis", "postgres" or "mysql" checks, this one is "exec"
# want: 8:19: command: "load" is not an absolute path
# want: 9:20: environment: "A" is not NAME=value
# want: 13:15: command is empty, it needs a program
# want: 15:5: file is for "file" checks, this one is "exec"
# want: 17:9: check "file" needs file
# want: 18:5: address is for "tcp", "http", "https", "grpc", "dns", "smtp", "udp", "icmp", "redis", "postgres" or "mysql" checks, this one is "file"
# want: 21:14: file: "weight" is not an absolute path
# want: 22:14: weight is 65536, must be -65535 to 65535
