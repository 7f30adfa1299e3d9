router_id = lvs1

vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  lease             = var.lease
  source_address    = upper("x")
  virtual_address "192.0.2.1/24" {}
}

# want: 1:13: router_id: lvs1 is not a value; text stands in quotes: "lvs1"
# want: 6:23: lease: there are no variables here; text stands in quotes
# want: 7:23: source_address: function calls not allowed: functions may not be called here
