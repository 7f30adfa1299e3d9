vrrp "none" {
  interface         = "eth0"
  virtual_router_id = 1
  authentication {
    type   = "hmac"
    secret = "5525"
  }
  virtual_address "192.0.2.1/24" {}
}

vrrp "keys" {
  interface         = "eth0"
  virtual_router_id = 2
  version           = 3
  authentication {
    type        = "hmac"
    mode        = "enforced"
    anti_replay = "monotonic"
    time_window = "10s"
    key "0" {
      secret_env = "HMAC_KEY"
    }
    key "01" {
      secret_env = "HMAC_KEY"
    }
    key "256" {
      secret_env = "HMAC_KEY"
    }
    key "1" {}
    key "2" {
      hex    = "00"
      secret = "x"
    }
    key "3" {
      hex = "zz"
    }
    key "4" {
      secret = "too short"
    }
    key "5" {
      secret = "hex:0001020304050607"
    }
    key "6" {
      secret_env = "NOT_SET"
    }
    key "7" {
      secret_env = "HMAC_KEY"
    }
    key "7" {
      secret_file = "testdata/hmac-key"
    }
  }
  virtual_address "192.0.2.2/24" {}
}

vrrp "which" {
  interface         = "eth0"
  virtual_router_id = 3
  authentication {
    type        = "hmac"
    time_window = "301s"
    key "1" {
      secret_env = "HMAC_KEY"
    }
    key "2" {
      secret_file = "testdata/hmac-key"
    }
  }
  virtual_address "192.0.2.3/24" {}
}

vrrp "other" {
  interface         = "eth0"
  virtual_router_id = 4
  authentication {
    type       = "hmac"
    active_key = 2
    key "1" {
      secret_env = "HMAC_KEY"
    }
  }
  virtual_address "192.0.2.4/24" {}
}

vrrp "pass" {
  interface         = "eth0"
  virtual_router_id = 5
  authentication {
    type   = "pass"
    secret = "5525"
    mode   = "enforce"
    key "1" {
      secret_env = "HMAC_KEY"
    }
  }
  virtual_address "192.0.2.5/24" {}
}

# want: 4:3: authentication of type "hmac" needs a key block
# want: 6:14: secret is for the types "pass" and "ah"; hmac takes its secrets from key blocks
# want: 17:19: mode is "enforced", must be "enforce", "permissive" or "receive-only", did you mean "enforce"?
# want: 19:19: time_window has no effect with anti_replay = "monotonic"
# want: 20:9: key "0": the label is the key's id, 1 to 255
# want: 23:9: key "01": the label is the key's id, 1 to 255
# want: 26:9: key "256": the label is the key's id, 1 to 255
# want: 29:9: key "1" needs one of secret, secret_file, secret_env and hex
# want: 32:16: hex and secret exclude each other
# want: 35:13: key "3": not an even number of hexadecimal digits
# want: 38:16: key "4" has 9 bytes, must have 32 to 64; `openssl rand -hex 32` makes 32 bytes in hexadecimal digits
# want: 41:16: key "5" has 8 bytes, must have 32 to 64; `openssl rand -hex 32` makes 32 bytes in hexadecimal digits
# want: 44:20: secret_env: the environment variable "NOT_SET" is not set
# want: 49:9: key "7" is already defined at authentication-hmac.hcl:46:9
# want: 59:3: authentication has 2 keys: active_key must say which one signs
# want: 61:19: time_window is "301s", must be from 1s to 5m
# want: 77:18: active_key is 2, and there is no key "2"
# want: 91:14: mode is for type "hmac"
# want: 92:9: key "1" is for type "hmac"
