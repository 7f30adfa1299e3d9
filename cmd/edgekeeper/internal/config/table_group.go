package config

var syncGroupType = &blockType{
	name: "sync_group", label: "the name of the group", unique: true,
	doc: "VRRP instances that move together (keepalived's `vrrp_sync_group`): they are masters all or none. The group takes over when every member would, falls back when one must, and has a fault while one has. " +
		"Handing over, or setting the priority of, one of them is for all; a KV key may name the group instead. Members may be on any interface. [Operations](operations.md#sync-groups) has what follows from that.",
	args: []argument{
		{name: "instances", kind: texts, required: true, doc: "The members, names of `vrrp` blocks. An instance is in one group at most. All members rank the directors alike, or the group stays where it is; owners (priority 255) are all or none."},
	},
	blocks: trackUses,
	sample: `vrrp "VI_2" {
  interface         = "eth1"
  virtual_router_id = 51
  virtual_address "10.0.0.1/24" {}
}

sync_group "edge" {
  instances = ["VI_1", "VI_2"]
}`,
}
