virtual_server "web" {
  address     = "192.0.2.1:0"
  persistence = "60s"
  real_server "192.0.2.2" {}
  check "icmp" {
    port = 80
  }
  check "grpc" {
    host = "a b"
  }
  check "dns" {
    port   = 53
    name   = "www..example.com"
    type   = "ANY"
    answer = "["
  }
  check "smtp" {
    port            = 25
    helo            = "a b"
    tls_skip_verify = true
  }
  check "udp" {
    port = 53
    tls  = true
  }
  check "redis" {
    port          = 6379
    user          = "probe"
    tls_cert_file = "/a"
  }
  check "redis" {
    port         = 6379
    password     = "a"
    password_env = "B"
  }
  check "mysql" {
    port     = 3306
    database = "shop"
  }
  check "postgres" {
    port = 5432
    user = ""
  }
  check "ftp" {}
}

# want: 6:5: port is for "tcp", "http", "https", "grpc", "dns", "smtp", "udp", "redis", "postgres", "mysql", "exec", "file" or "vip" checks, this one is "icmp"
# want: 8:9: check "grpc" needs port: the virtual server is for more than one, and its real servers have none
# want: 9:12: host: "a b" is no host name
# want: 13:14: name: "www..example.com" is no domain name
# want: 14:14: type is "ANY", must be "A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV" or "TXT"
# want: 15:14: answer: error parsing regexp: missing closing ]: `[`
# want: 19:23: helo: "a b" is no host name
# want: 20:23: tls_skip_verify has no effect without tls = true
# want: 24:5: tls is for "tcp", "grpc", "smtp", "redis" or "postgres" checks, this one is "udp"
# want: 28:21: user has no effect without a password
# want: 29:21: tls_cert_file has no effect without tls = true
# want: 34:20: password and password_env exclude each other
# want: 38:5: database is for "postgres" checks, this one is "mysql"
# want: 42:12: user is empty; leave it out instead
# want: 44:9: check "ftp" is unknown, must be "tcp", "http", "https", "grpc", "dns", "smtp", "udp", "icmp", "redis", "postgres", "mysql", "exec", "file" or "vip"
