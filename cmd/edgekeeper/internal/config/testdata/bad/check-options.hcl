virtual_server "web" {
  address = "192.0.2.1:80"
  real_server "192.0.2.2" {}
  check "tcp" {
    address        = "2001:db8::1"
    source_address = "192.0.2.9"
    mark           = 0
    initial        = "maybe"
    tls_ca_file    = "/ca.pem"
    send           = "a"
    send_hex       = "6"
    expect         = "("
    expect_hex     = "0y"
  }
  check "tcp" {
    source_address = "2001:db8::9"
    tls            = true
    tls_ca_file    = "ca.pem"
    tls_cert_file  = "/cert.pem"
    send           = "a"
    send_hex       = "61"
    jitter         = "25h"
  }
  check "https" {
    tls_skip_verify     = true
    tls_ca_file         = "/ca.pem"
    tls_key_file        = "/key.pem"
    tls_min_version     = "1.4"
    certificate_warning = "14d"
    http_version        = "3"
    headers             = ["X-A: 1", "X A: 1", "Host: www"]
    request_body        = "x"
    status              = "200-299, 700, x"
    body_not            = "["
    digest              = "abc"
  }
  check "http" {
    headers = ["Host: www", "Connection: close"]
    address = "web-1"
  }
}

# want: 6:22: source_address is IPv4, address is IPv6
# want: 7:22: mark is 0, must be 1 to 4294967295
# want: 8:22: initial is "maybe", must be "up" or "down"
# want: 9:22: tls_ca_file has no effect without tls = true
# want: 11:22: send_hex: "6" is not hexadecimal, two digits for each byte
# want: 12:22: expect: error parsing regexp: missing closing ): `(`
# want: 13:22: expect_hex: "0y" is not hexadecimal, two digits for each byte, x for any
# want: 16:22: source_address is IPv6, the virtual server is IPv4
# want: 18:22: tls_ca_file: "ca.pem" is not an absolute path
# want: 19:22: tls_cert_file needs tls_key_file
# want: 21:22: send and send_hex exclude each other
# want: 22:22: jitter is "25h", must be from 0s to 24h
# want: 26:27: tls_ca_file has no effect with tls_skip_verify
# want: 27:27: tls_key_file needs tls_cert_file
# want: 28:27: tls_min_version is "1.4", must be "1.0", "1.1", "1.2" or "1.3", did you mean "1.0"?
# want: 29:27: certificate_warning is "14d", which is no duration; write one as "6s", "250ms" or "1m30s"
# want: 30:27: http_version is "3", must be "1.1" or "2", did you mean "2"?
# want: 31:38: headers: "X A: 1" is not a header, such as "X-Check: 1"
# want: 32:27: request_body needs method = "POST"
# want: 33:27: status: "700" must lie within 100-599
# want: 33:27: status: "x" is not a status or a range of them, such as "200" or "200-299"
# want: 34:27: body_not: error parsing regexp: missing closing ]: `[`
# want: 35:27: digest: "abc" is not an MD5 digest, 32 hexadecimal digits
# want: 38:16: headers: write the Host header as host = "www"
# want: 38:29: headers: Connection is the check's own
# want: 39:15: address: "web-1" is not an IP address
