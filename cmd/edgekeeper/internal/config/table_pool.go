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
