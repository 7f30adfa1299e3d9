vrrp "one" {
  interface         = "eth0"
  virtual_router_id = 51
  priority          = 255
  accept            = false
  unicast_peers     = ["192.0.2.2"]
  vmac {
    name          = "a-name-that-is-too-long"
    mac           = "01:00:5e:00:00:12"
    transmit_base = false
  }
  virtual_address "192.0.2.100/24" {}
}

vrrp "two" {
  interface         = "eth0"
  virtual_router_id = 52
  vmac {}
  virtual_address "192.0.2.101/24" {
    label = "eth0:0"
  }
}

vrrp "three" {
  interface         = "eth1"
  virtual_router_id = 52
  vmac {}
  virtual_address "192.0.2.102/24" {}
}

vrrp "four" {
  interface         = "eth0"
  virtual_router_id = 53
  vmac {
    name = "eth1"
    mac  = "00:00:5e:00:01:34"
  }
  vmac {}
  virtual_address "192.0.2.103/24" {}
}

vrrp "five" {
  interface         = "eth0"
  virtual_router_id = 54
  vmac {
    name = "v5"
    mac  = "00:00:5e:00:01:34"
  }
  virtual_address "192.0.2.104/24" {}
}

vrrp "six" {
  interface         = "eth0"
  virtual_router_id = 55
  vmac {
    name          = "fourteen-bytes"
    mac           = "nonsense"
    all_addresses = true
  }
  virtual_address "192.0.2.105/24" {}
  virtual_address "192.0.2.106/24" { device = "eth2" }
}

# want: 5:23: accept = false has no effect: priority 255 owns the addresses and always accepts
# want: 8:21: name: "a-name-that-is-too-long" has 23 bytes, an interface name has at most 15
# want: 9:21: mac: MAC address "01:00:5e:00:00:12" is one no interface can have
# want: 10:21: transmit_base = false is for multicast: adverts to unicast_peers go out on the interface itself
# want: 20:13: label: "eth0:0" must begin with the name of the vmac interface and a colon, such as "vrrp.52:0"
# want: 27:3: name: "vrrp.52" is already the vmac of vrrp "two" at vmac.hcl:15:6; give this one another name
# want: 35:12: name: "eth1" is the interface of a vrrp block
# want: 38:3: only one vmac block is allowed, there is one at vmac.hcl:34:3
# want: 47:12: mac: 00:00:5e:00:01:34 is already on eth0 by vrrp "four" at vmac.hcl:31:6
# want: 56:21: all_addresses: "fourteen-bytes.1" has 16 bytes, an interface name has at most 15
# want: 57:21: mac: MAC address "nonsense" must be six bytes in hexadecimal, such as 00:00:5e:00:01:33
