package config

var slowStartType = &blockType{
	name: "slow_start", single: true,
	doc: "Gives a real server that begins to take connections (a new one, one that has recovered, one that is no longer drained) a growing share of its weight, " +
		"by Envoy's formula `weight * max(min_weight, (age / window) ^ (1 / aggression))`, in at most 20 steps. " +
		"The share is that of the real server which has served the longest, so a pool that was empty begins with full weights. " +
		"Weights are whole numbers: with a weight of 1 there is nothing to grow, `weight = 100` makes smooth steps. Quorum counts the whole weight.",
	args: []argument{
		{name: "window", kind: duration, def: "30s", lo: second, hi: maxDelay, doc: "Time to the full weight."},
		{name: "aggression", kind: factor, def: "1", doc: "1 grows evenly; more begins faster, less begins slower."},
		{name: "min_weight", kind: ratio, def: "0.1", doc: "Least share of the weight."},
	},
}

var fallbackType = &blockType{
	name: "fallback", label: "its name, for status and events", single: true,
	doc: "A second pool, such as the same service in another datacenter. It is watched and checked all the time, and serves while the virtual server's own pool has lost its quorum; where it has nobody that serves, the `sorry_server` is next. " +
		"`health`, `on_failure`, `drain_timeout` and the KV keys of the virtual server hold for it, too, and its `check` blocks where the fallback has none of its own; quorum, panic and slow start do not.",
	args: []argument{
		{name: "forward", kind: text, choices: forwards, defText: "the virtual server's", doc: "Forwarding method. Real servers of another network need `nat` or `tun`."},
		{name: "weight", kind: number, def: "1", lo: 0, hi: maxPort, doc: "Weight of catalog instances for which neither KV nor their service says one."},
	},
	blocks: []*blockType{serviceType, realServerType, checkType},
}
