virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
  check "tcp" {
    interval = "1s"
  }
  check "tcp" {
    timeout = "6s"
    path    = "/"
    rise    = 0
  }
  check "http" {
    tls_skip_verify = true
    path            = "health"
    method          = "BREW"
    host            = "a b"
    status          = "2xx"
    body            = "(ok"
  }
  check "https" {
    method = "HEAD"
    status = "299-200"
    body   = "ok"
  }
  check "https" {
    status = "600"
    port   = 0
  }
}

virtual_server "b" {
  address = "192.0.2.1:81"
  real_server "192.0.2.2" {}
  check "tcp" {}
  check "tcp" {
    interval = "5s"
  }
}

virtual_server "c" {
  address = "192.0.2.1:0"
  real_server "192.0.2.2" {}
  persistence = "60s"
  check "tcp" {}
}

# want: 5:16: timeout 2s is longer than interval 1s: attempts would overlap
# want: 8:15: timeout 6s is longer than interval 5s: attempts would overlap
# want: 9:5: path is for "http" or "https" checks, this one is "tcp"
# want: 10:15: rise is 0, must be 1 to 1000
# want: 13:5: tls_skip_verify is for "https", "tcp", "grpc", "smtp", "redis" or "postgres" checks, this one is "http"
# want: 14:23: path: "health" must begin with a slash and hold no space and no #
# want: 15:23: method is "BREW", must be "GET", "HEAD", "OPTIONS" or "POST"
# want: 16:23: host: "a b" is no host name
# want: 17:23: status: "2xx" is not a status or a range of them, such as "200" or "200-299"
# want: 18:23: body: error parsing regexp: missing closing ): `(ok`
# want: 22:14: status: "299-200" is empty, its first number is the larger one
# want: 23:14: body cannot match: a HEAD request has none in its answer
# want: 26:14: status: "600" must lie within 100-599
# want: 27:14: port is 0, must be 1 to 65535
# want: 35:9: check "tcp" is the same as the one at check.hcl:34:9
# want: 44:9: check "tcp" needs port: the virtual server is for more than one, and its real servers have none
