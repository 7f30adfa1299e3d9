vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.1/24" {}

  virtual_rule {
    from  = "10.0.0.0/8"
    table = 100
  }
  virtual_rule {
    priority = 1
  }
  virtual_rule {
    priority = 2
    from     = "10.0.0.0/8"
    to       = "2001:db8::/32"
    table    = 100
  }
  virtual_rule {
    priority = 3
    from     = "10.0.0.0/8"
    family   = "ipv6"
    table    = 100
  }
  virtual_rule {
    priority = 4
    from     = "0.0.0.0/0"
    table    = 100
  }
  virtual_rule {
    priority = 5
    action   = "goto"
    goto     = 4
    table    = 100
  }
  virtual_rule {
    priority         = 6
    destination_port = "80"
    table            = 100
  }
  virtual_rule {
    priority    = 7
    ip_protocol = "ip"
    source_port = "90-80"
    table       = 100
  }
  virtual_rule {
    priority = 8
    fwmark   = "0x10/0xf"
    table    = 100
  }
  virtual_rule {
    priority = 9
    fwmark   = "0"
    table    = 100
  }
  virtual_rule {
    priority              = 10
    table                 = 1000
    suppress_prefixlength = 0
  }
  virtual_rule {
    priority = 11
    table    = 100
  }
  virtual_rule {
    priority = 11
    table    = 100
    track    = false
  }
}

# want: 6:3: virtual_rule needs priority
# want: 10:3: table: is required to look one up
# want: 16:16: to: 2001:db8::/32 is not of the family of 10.0.0.0/8
# want: 22:16: family is "ipv6", the networks are not
# want: 27:16: from: 0.0.0.0/0 is any; leave it out
# want: 33:16: goto: 4 does not come after this rule, 5
# want: 34:16: table: is not looked up by goto
# want: 36:3: ip_protocol: ports need one
# want: 43:19: ip_protocol: "ip" is neither a protocol we know by name nor a number from 1 to 255
# want: 44:19: source_port: "90-80" is not a port or a range such as "8000-8999"
# want: 49:16: fwmark: "0x10/0xf" can match nothing: the mark has bits outside the mask
# want: 54:16: fwmark: "0" matches any mark; leave it out, or give a mask
# want: 60:29: suppress_prefixlength: needs a table from 1 to 255
# want: 66:3: the same virtual_rule is already there at rule.hcl:62:3
