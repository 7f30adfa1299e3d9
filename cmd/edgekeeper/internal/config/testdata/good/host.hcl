# What moves with the addresses, and how the host is treated.
router_id = "lvs1"

vrrp "four" {
  interface            = "eth0"
  virtual_router_id    = 20
  garp_refresh         = "30s"
  garp_refresh_repeat  = 2
  garp_lower_repeat    = 3
  garp_lower_delay     = "0s"
  garp_interval        = "10ms"
  gna_interval         = "20ms"
  on_address_loss      = "step-down"
  interface_up_delay   = "3s"
  interface_down_delay = "500ms"

  virtual_address "192.0.2.1/32" {
    peer = "192.0.2.254"
  }
  virtual_address "192.0.2.2/24" {
    prefix_route = false
    deprecated   = true
  }
  virtual_address "2001:db8::2/64" {
    advertise         = false
    detect_duplicates = true
  }

  virtual_route "0.0.0.0/0" {
    via       = "192.0.2.254"
    device    = "eth0"
    onlink    = true
    table     = 100
    metric    = 5
    source    = "192.0.2.1"
    tos       = 16
    mtu       = 1400
    mtu_lock  = true
    advmss    = 1360
    hop_limit = 32
    initcwnd  = 20
    initrwnd  = 30
    quickack  = true
    track     = false
  }
  virtual_route "10.1.0.0/16" {
    nexthop "192.0.2.253" {
      device = "eth0"
      weight = 3
      onlink = true
    }
    nexthop "eth1" {}
  }
  virtual_route "10.2.0.0/16" {
    device = "eth0"
    scope  = "link"
  }
  virtual_route "10.3.0.0/16" {
    type = "blackhole"
  }
  virtual_route "2001:db8:1::/48" {
    device = "eth1"
  }

  virtual_rule {
    priority              = 100
    from                  = "192.0.2.1"
    to                    = "10.0.0.0/8"
    table                 = 100
    not                   = true
    fwmark                = "0x1/0xf"
    iif                   = "eth0"
    oif                   = "eth1"
    tos                   = 16
    ip_protocol           = "tcp"
    source_port           = "1024-65535"
    destination_port      = "80"
    suppress_prefixlength = 0
    track                 = false
  }
  virtual_rule {
    priority = 101
    action   = "goto"
    goto     = 200
  }
  virtual_rule {
    priority = 102
    family   = "ipv6"
    action   = "prohibit"
  }
}
