package migrate

import "time"

// announcing writes the settings of gratuitous ARPs that are not edgekeeper's
// defaults, which are keepalived's, and the delays of the interface.
func (t *translator) announcing(v *instance, at func(string) position) {
	if p, ok := t.pace[v.iface]; ok {
		for name, d := range map[string]*time.Duration{"garp_interval": p.arp, "gna_interval": p.gna} {
			if d != nil {
				v.set[name], v.places[name] = *d, p.at
			}
		}
	}
	defaults := map[string]any{
		"garp_repeat": 5, "garp_delay": 5 * time.Second, "garp_refresh": time.Duration(0), "garp_refresh_repeat": 1,
		"garp_lower_repeat": nil, "garp_lower_delay": nil, "garp_interval": time.Duration(0), "gna_interval": time.Duration(0), "down_multiplier": 3,
	}
	if d, ok := v.set["garp_refresh"]; !ok || d == time.Duration(0) {
		delete(v.set, "garp_refresh_repeat")
	}
	if v.set["garp_lower_delay"] == time.Duration(0) && v.set["garp_delay"] == time.Duration(0) {
		delete(v.set, "garp_lower_delay")
	}
	for _, name := range []string{"down_multiplier", "garp_repeat", "garp_delay", "garp_refresh", "garp_refresh_repeat", "garp_lower_repeat", "garp_lower_delay", "garp_interval", "gna_interval"} {
		if val, ok := v.set[name]; ok && val != defaults[name] {
			if d, isTime := val.(time.Duration); isTime && (name == "garp_interval" || name == "gna_interval") && d > 10*time.Second {
				t.differ(at(name), "%s: at most 10 s", name)
				val = 10 * time.Second
			}
			v.block.set(at(name), name, val)
		}
	}
	d, ok := t.delays[v.iface]
	if !ok {
		return
	}
	d.used = true
	t.delays[v.iface] = d
	v.block.set(d.at, "interface_up_delay", d.up)
	multiplier := 3
	if m, ok := v.set["down_multiplier"].(int); ok {
		multiplier = m
	}
	if most := time.Duration(multiplier-1) * v.interval; d.down >= most {
		t.differ(d.at, "interface_up_down_delays: the down delay of %s must be below %s for %s, after which a backup takes over; there is none", v.iface, most, v.name)
	} else if d.down > 0 {
		v.block.set(d.at, "interface_down_delay", d.down)
	}
}
