vrrp "v2" {
  interface         = "eth0"
  virtual_router_id = 1
  authentication {
    type   = "pass"
    secret = "ninebytes"
  }
  virtual_address "192.0.2.1/24" {}
}

vrrp "v3" {
  interface         = "eth0"
  virtual_router_id = 2
  version           = 3
  authentication {
    type   = "ah"
    secret = "5525"
  }
  virtual_address "192.0.2.2/24" {}
}

vrrp "v6" {
  interface         = "eth0"
  virtual_router_id = 3
  authentication {
    type   = "pass"
    secret = 5525
  }
  virtual_address "2001:db8::2/64" {}
}

vrrp "twice" {
  interface         = "eth0"
  virtual_router_id = 4
  authentication {
    type       = "simple"
    secret     = "5525"
    secret_env = "VRRP_SECRET"
  }
  authentication {
    type = "pass"
  }
  virtual_address "192.0.2.4/24" {}
}

vrrp "env" {
  interface         = "eth0"
  virtual_router_id = 5
  authentication {
    type       = "pass"
    secret_env = "NOT_SET"
  }
  virtual_address "192.0.2.5/24" {}
}

vrrp "file" {
  interface         = "eth0"
  virtual_router_id = 6
  authentication {
    type        = "pass"
    secret_file = "testdata/no-such-file"
  }
  virtual_address "192.0.2.6/24" {}
}

vrrp "device" {
  interface         = "eth0"
  virtual_router_id = 7
  authentication {
    type        = "pass"
    secret_file = "/dev/zero"
  }
  virtual_address "192.0.2.7/24" {}
}

vrrp "long" {
  interface         = "eth0"
  virtual_router_id = 8
  authentication {
    type       = "pass"
    secret_env = "LONG_SECRET"
  }
  virtual_address "192.0.2.8/24" {}
}

# want: 6:14: secret: the secret has 9 bytes, VRRP has room for 8; keepalived cuts longer ones off, so write the first 8 bytes
# want: 15:3: authentication of the types "pass" and "ah" exists in version 2 over IPv4 only, vrrp "v3" is version 3 over IPv4; "hmac" is for all
# want: 25:3: authentication of the types "pass" and "ah" exists in version 2 over IPv4 only, vrrp "v6" is version 3 over IPv6; "hmac" is for all
# want: 27:14: secret must be a string, in quotes
# want: 36:18: type is "simple", must be "hmac", "pass" or "ah"
# want: 38:18: secret and secret_env exclude each other
# want: 40:3: only one authentication block is allowed, there is one at authentication.hcl:35:3
# want: 51:18: secret_env: the environment variable "NOT_SET" is not set
# want: 61:19: secret_file: stat testdata/no-such-file: no such file or directory
# want: 71:19: secret_file: read /dev/zero: not a regular file of at most 4096 bytes
# want: 81:18: secret_env: the secret has 10 bytes, VRRP has room for 8; keepalived cuts longer ones off, so write the first 8 bytes
