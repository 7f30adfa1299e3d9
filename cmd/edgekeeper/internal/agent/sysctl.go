package agent

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/sysctl"
)

// SysctlState is where a director with this state folder records the kernel
// settings that it replaced.
func SysctlState(stateDir string) string { return filepath.Join(stateDir, "sysctls.json") }

// setting is one kernel parameter that the director wants.
type setting struct{ name, value string }

// settings lists what a configuration needs of the kernel.
//
// Direct routing: a director in the clients' network would answer them with ICMP
// redirects to the real servers, and with NAT the real servers to the clients,
// past itself. So send_redirects is off, on "all" and on the interfaces (the
// kernel takes the OR of both), and on "default" for interfaces to come. NAT needs
// forwarding, of the family of its virtual servers. The net.ipv4.vs parameters
// decide what becomes of connections whose real server is gone, and whether
// nftables sees connections of IPVS (Documentation/networking/ipvs-sysctl.rst).
//
// Whatever the virtual servers need, macvlan interfaces need vmacSettings.
func settings(cfg *config.Config) []setting {
	out := vmacSettings(cfg)
	if !cfg.IPVS.ManageSysctls || len(cfg.VirtualServers) == 0 {
		return out
	}
	forwards := func(f lvs.Forward, ipv6 bool) bool {
		return slices.ContainsFunc(cfg.VirtualServers, func(s discovery.Spec) bool {
			is := func(s discovery.Server) bool { return s.Forward == f }
			return s.Service.IPv6() == ipv6 && (s.Forward == f || slices.ContainsFunc(s.Servers, is) ||
				s.Fallback != nil && (s.Fallback.Forward == f || slices.ContainsFunc(s.Fallback.Servers, is)) || s.Sorry != nil && is(*s.Sorry))
		})
	}
	if forwards(lvs.DR, false) || forwards(lvs.DR, true) || forwards(lvs.NAT, false) {
		for _, name := range append([]string{"all", "default"}, interfaces(cfg)...) {
			out = append(out, setting{"net/ipv4/conf/" + name + "/send_redirects", "0"})
		}
	}
	if forwards(lvs.NAT, false) {
		out = append(out, setting{"net/ipv4/ip_forward", "1"})
	}
	if forwards(lvs.NAT, true) {
		out = append(out, setting{"net/ipv6/conf/all/forwarding", "1"})
	}
	if c := cfg.IPVS.Conntrack; c != nil {
		out = append(out, setting{"net/ipv4/vs/conntrack", flag(*c)})
	}
	return append(out,
		setting{"net/ipv4/vs/expire_nodest_conn", flag(cfg.IPVS.ExpireNodestConn)},
		setting{"net/ipv4/vs/expire_quiescent_template", flag(cfg.IPVS.ExpireQuiescentTemplate)},
		setting{"net/ipv4/vs/conn_reuse_mode", strconv.Itoa(cfg.IPVS.ConnReuseMode)},
	)
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// interfaces lists the devices of the VRRP instances and their addresses, but for
// macvlan interfaces of ours: these begin with what is set on "default".
func interfaces(cfg *config.Config) []string {
	var out []string
	_, made := vmacParents(cfg)
	add := func(name string) {
		if name != "" && !slices.Contains(made, name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, v := range cfg.Instances {
		add(v.Interface)
		for _, a := range slices.Concat(v.Router.Addresses, v.Router.Excluded) {
			add(a.Device)
		}
	}
	return out
}

// tuned are the kernel parameters in force, with the functions that undo them.
type tuned struct {
	root    string    // of the kernel's parameters
	reverse []setting // see reversePath
	forVMAC []setting // those of the list that macvlan interfaces need
	sysctl  *sysctl.Sysctl
	undo    map[setting]func() error
	failed  map[string]string // by name: why it could not be set
	order   []setting
	told    map[string]bool // deviations that were reported
}

// openSysctls reads what a killed predecessor has replaced: what this one sets,
// it will put back to the value of before both.
func openSysctls(root, state string) (*tuned, error) {
	s, err := sysctl.Open(sysctl.Config{Root: root, State: state})
	if err != nil {
		return nil, err
	}
	return &tuned{root: cmp.Or(root, "/proc/sys"), sysctl: s, undo: map[setting]func() error{}, failed: map[string]string{}, told: map[string]bool{}}, nil
}

// set makes the kernel's parameters those of the list: what is new is set and
// what is no longer wanted is put back. A parameter that cannot be set (a
// container often may not) is reported and does not stop the director.
func (t *tuned) set(want []setting, event func(kind, object, text string)) {
	for old, undo := range t.undo {
		if slices.Contains(want, old) {
			continue
		}
		if err := undo(); err != nil {
			event("sysctl", old.name, "cannot put back: "+err.Error())
		}
		delete(t.undo, old)
	}
	t.order, t.failed = want, map[string]string{}
	for _, s := range want {
		if t.undo[s] != nil {
			continue
		}
		undo, err := t.sysctl.Set(s.name, s.value)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			t.failed[s.name] = "this kernel does not have it"
		case err != nil:
			t.failed[s.name] = err.Error()
			event("sysctl", s.name, fmt.Sprintf("cannot set to %s: %v", s.value, err))
		default:
			t.undo[s] = undo
		}
	}
}

// review reports parameters that somebody else has changed, once each.
func (t *tuned) review(event func(kind, object, text string)) {
	now := map[string]bool{}
	for _, d := range t.sysctl.Verify() {
		now[d.Name] = true
		if !t.told[d.Name] {
			event("sysctl", d.Name, fmt.Sprintf("somebody else set it to %q; we need %q", d.Have, d.Want))
		}
	}
	t.told = now
}

// status shows the parameters and what deviates.
func (t *tuned) status() []control.Sysctl {
	var out []control.Sysctl
	deviations := t.sysctl.Verify()
	for _, s := range t.order {
		c := control.Sysctl{Name: s.name, Value: s.value, Error: t.failed[s.name]}
		for _, d := range deviations {
			if d.Name == s.name {
				c.Error = fmt.Sprintf("somebody else set it to %q", d.Have)
			}
		}
		out = append(out, c)
	}
	return out
}
