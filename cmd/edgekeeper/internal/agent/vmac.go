package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/vip"
)

// vmacs gives the macvlan interfaces of an instance.
func vmacs(v config.VRRP) []vip.VMAC {
	if v.VMAC == nil {
		return nil
	}
	var out []vip.VMAC
	for _, l := range v.VMAC.Links {
		out = append(out, vip.VMAC{Name: l.Name, Parent: l.Device, MAC: l.MAC})
	}
	return out
}

// transmitFrom gives the macvlan interface that adverts go out on, "" when they
// go out on the instance's own.
func transmitFrom(v config.VRRP) string {
	if v.VMAC == nil || v.VMAC.TransmitBase {
		return ""
	}
	return v.VMAC.Links[0].Name
}

// vmacParents lists the devices that carry a macvlan interface with IPv4
// addresses, and the names of all our macvlan interfaces.
func vmacParents(cfg *config.Config) (parents, names []string) {
	for _, v := range cfg.Instances {
		if v.VMAC == nil {
			continue
		}
		all := slices.Concat(v.Router.Addresses, v.Router.Excluded)
		for _, l := range v.VMAC.Links {
			names = append(names, l.Name)
			carries := func(a vrrp.Address) bool { return a.Device == l.Name && a.Prefix.Addr().Is4() }
			if slices.ContainsFunc(all, carries) && !slices.Contains(parents, l.Device) {
				parents = append(parents, l.Device)
			}
		}
	}
	return parents, names
}

// vmacSettings are what the device below a macvlan interface needs, so that the
// network never sees a virtual address with the device's own MAC address (RFC
// 9568 section 8.1.2): arp_ignore 1, no answer to requests for an address of
// another interface, and arp_announce 2, no request that names one as its sender.
func vmacSettings(cfg *config.Config) []setting {
	var out []setting
	parents, _ := vmacParents(cfg)
	for _, device := range parents {
		out = append(out,
			setting{"net/ipv4/conf/" + device + "/arp_ignore", "1"},
			setting{"net/ipv4/conf/" + device + "/arp_announce", "2"})
	}
	return out
}

// reversePath makes room for the macvlan interfaces under strict reverse-path
// filtering. What clients send arrives on them, while the route back leads over
// the device below, so rp_filter must be 0 there; but the kernel takes the larger
// value of the interface and of "all". Where "all" is strict, every interface
// gets that value itself, also those to come, and "all" is set to 0: nothing
// changes but for ours. keepalived does the same. What was found stays the
// answer until no macvlan interface is wanted any more.
func (t *tuned) reversePath(cfg *config.Config) []setting {
	parents, names := vmacParents(cfg)
	if len(parents) == 0 {
		t.reverse = nil
		return nil
	}
	const conf, name, strict = "net/ipv4/conf", "rp_filter", "1"
	all := setting{filepath.Join(conf, "all", name), "0"}
	if have, err := t.sysctl.Get(all.name); t.reverse != nil || err != nil || have != strict {
		return t.reverse // loose (2) passes what has any route back
	}
	entries, err := os.ReadDir(filepath.Join(t.root, conf))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		s := setting{filepath.Join(conf, e.Name(), name), strict}
		if have, err := t.sysctl.Get(s.name); err == nil && have == "0" && !slices.Contains(names, e.Name()) {
			t.reverse = append(t.reverse, s)
		}
	}
	t.reverse = append(t.reverse, all)
	return t.reverse
}

// insist sets again what macvlan interfaces need: the device below may be another
// one under the same name, or have come only now.
func (t *tuned) insist(cfg *config.Config, event func(kind, object, text string)) {
	for _, s := range vmacSettings(cfg) {
		have, err := t.sysctl.Get(s.name)
		if err != nil || have == s.value && t.undo[s] != nil {
			continue
		}
		undo, err := t.sysctl.Set(s.name, s.value)
		if err != nil {
			t.failed[s.name] = err.Error()
			continue
		}
		event("sysctl", s.name, fmt.Sprintf("was %q, set to %q again: vmac needs it", have, s.value))
		delete(t.failed, s.name)
		if t.undo[s] == nil {
			t.undo[s] = undo
		} else if err := undo(); err != nil { // one of two users: it stays as set
			event("sysctl", s.name, err.Error())
		}
	}
}

// releaseVMAC puts back what was set for macvlan interfaces.
func (t *tuned) releaseVMAC() error {
	var errs []error
	for _, s := range slices.Backward(t.forVMAC) {
		if undo := t.undo[s]; undo != nil {
			errs = append(errs, undo())
			delete(t.undo, s)
		}
	}
	return errors.Join(errs...)
}

// vmacStatus renders the macvlan interfaces of an instance for status.
func vmacStatus(v config.VRRP) []control.VMAC {
	if v.VMAC == nil {
		return nil
	}
	var out []control.VMAC
	for i, l := range v.VMAC.Links {
		out = append(out, control.VMAC{Name: l.Name, Device: l.Device, MAC: l.MAC.String(), Adverts: i == 0 && !v.VMAC.TransmitBase})
	}
	return out
}
