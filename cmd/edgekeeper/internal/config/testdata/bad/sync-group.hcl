vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.1/24" {}
}

vrrp "VI_2" {
  interface         = "eth1"
  virtual_router_id = 51
  virtual_address "198.51.100.1/24" {}
}

vrrp "VI_3" {
  interface         = "eth2"
  virtual_router_id = 51
  priority          = 255
  virtual_address "203.0.113.1/24" {}
}

sync_group "A" {
  instances = ["VI_1", "VI_4", "VI_1"]
}

sync_group "B" {
  instances = ["VI_2", "VI_1", "VI_3"]
}

sync_group "C" {
  instances = []
}

sync_group "VI_2" {
  instances = ["VI_3"]
  track_interface "eth9" { weight = 10 }
}

sync_group "a/b" {
}

sync_group "D" {
  instances = "VI_3"
  members   = ["VI_3"]
}

# want: 21:24: instances: there is no vrrp "VI_4"
# want: 21:32: instances: "VI_1" is there twice
# want: 25:24: instances: "VI_1" is already in sync_group "A" at sync-group.hcl:20:12
# want: 25:32: instances: "VI_3" has priority 255, "VI_2" has 100: in a group all members own their addresses (255) or none
# want: 29:15: instances is empty; a group has at least one member
# want: 32:12: sync_group "VI_2" has the name of vrrp "VI_2" at sync-group.hcl:7:6; KV keys and commands take both
# want: 33:16: instances: "VI_3" is already in sync_group "B" at sync-group.hcl:24:12
# want: 37:12: sync_group "a/b" needs instances
# want: 37:12: sync_group: "a/b" holds a slash, which separates parts of KV keys
# want: 41:15: instances must be a list of strings, such as ["a", "b"]
# want: 42:3: sync_group has no argument "members"
