// Package realserver is the agent of web nodes: it makes a host ready to be a
// real server behind direct routing, keeps it so, and undoes it.
//
// A director that forwards by direct routing hands on the packet unchanged, so
// the real server must own the virtual address (VIP/32 on lo, with a host
// route), but must never answer or announce ARP for it: arp_ignore = 1 (answer
// only for addresses of the interface asked), arp_announce = 2 (announce only
// addresses of the interface used); see Documentation/networking/ip-sysctl.rst.
// For IPv6 the address alone is enough: the kernel answers neighbour
// solicitations only for addresses of the interface asked.
package realserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/statedir"
	"github.com/edgekeeper/edgekeeper/lvs/sysctl"
)

// Config says what to set up.
type Config struct {
	VIPs          []netip.Addr  // installed as /32 or /128
	Interface     string        // usually lo
	ManageSysctls bool          // arp_ignore and arp_announce
	StateDir      string        // what was changed is recorded here
	Check         time.Duration // between looks whether all is still so; default 2 s
	Sysctls       string        // default /proc/sys
	Log           *slog.Logger  // nil discards
}

// Agent prepares one host. Use New.
type Agent struct {
	cfg  Config
	log  *slog.Logger
	nl   *netlink.Handle
	link netlink.Link
	sys  *sysctl.Sysctl
}

// state is what Run may have installed, recorded before it does.
type state struct {
	Interface string       `json:"interface"`
	VIPs      []netip.Addr `json:"virtual_addresses"`
}

// Files of the state folder.
const addressFile = "realserver-addresses.json"

func sysctlState(dir string) string { return filepath.Join(dir, "realserver-sysctls.json") }

// Run prepares the host, repairs what others change, and undoes everything when
// ctx is done. What a killed predecessor left is taken over, or taken off where
// the configuration no longer names it.
func Run(ctx context.Context, cfg Config) (err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Check <= 0 {
		cfg.Check = 2 * time.Second
	}
	unlock, err := statedir.Lock(cfg.StateDir, statedir.RealServer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := dropLeftovers(cfg); err != nil {
		return err
	}
	a, err := open(cfg)
	if err != nil {
		return err
	}
	defer a.nl.Close()
	defer func() { err = errors.Join(err, a.undo()) }()
	if err := statedir.Write(cfg.StateDir, addressFile, state{Interface: cfg.Interface, VIPs: cfg.VIPs}); err != nil {
		return err
	}
	// The ARP settings come first: an address that is announced before them
	// would draw the clients' traffic past the director.
	if err := a.setSysctls(); err != nil {
		return err
	}
	if _, err := a.install(); err != nil {
		return err
	}
	a.log.Info("ready as a real server", "virtual_addresses", cfg.VIPs, "interface", cfg.Interface)
	return a.watch(ctx)
}

func open(cfg Config) (*Agent, error) {
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	link, err := nl.LinkByName(cfg.Interface)
	if err != nil {
		nl.Close()
		return nil, fmt.Errorf("find interface %s: %w", cfg.Interface, err)
	}
	sys, err := sysctl.Open(sysctl.Config{Root: cfg.Sysctls, State: sysctlState(cfg.StateDir)})
	if err != nil {
		nl.Close()
		return nil, err
	}
	return &Agent{cfg: cfg, log: cfg.Log, nl: nl, link: link, sys: sys}, nil
}

// watch looks again and again whether all is as it should be.
func (a *Agent) watch(ctx context.Context) error {
	tick := time.NewTicker(a.cfg.Check)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		repaired, err := a.install()
		if err != nil {
			a.log.Error("cannot repair", "error", err)
		}
		for _, what := range repaired {
			a.log.Warn("somebody else removed it, put back", "what", what)
		}
		for _, d := range a.sys.Verify() {
			_, err := a.sys.Set(d.Name, d.Want)
			a.log.Warn("somebody else changed a kernel setting that direct routing needs, set again", "name", d.Name, "want", d.Want, "had", d.Have, "error", err)
		}
	}
}

// setSysctls sets the ARP parameters: on "all" and lo as the kernel takes the
// larger of "all" and the interface's, on "default" for interfaces to come.
func (a *Agent) setSysctls() error {
	if !a.cfg.ManageSysctls || !slices.ContainsFunc(a.cfg.VIPs, netip.Addr.Is4) {
		return nil
	}
	for _, device := range []string{"all", "default", a.cfg.Interface} {
		for _, p := range []struct{ name, value string }{{"arp_ignore", "1"}, {"arp_announce", "2"}} {
			if _, err := a.sys.Set("net/ipv4/conf/"+device+"/"+p.name, p.value); err != nil {
				return fmt.Errorf("direct routing needs it: %w", err)
			}
		}
	}
	return nil
}

// install adds what is missing of addresses and routes, and says what it was.
func (a *Agent) install() (added []string, err error) {
	have, err := a.nl.AddrList(a.link, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w", a.cfg.Interface, err)
	}
	for _, vip := range a.cfg.VIPs {
		if !slices.ContainsFunc(have, func(x netlink.Addr) bool { return x.IP.Equal(net.IP(vip.AsSlice())) }) {
			if err := a.nl.AddrReplace(a.link, a.address(vip)); err != nil {
				return added, fmt.Errorf("add %s to %s: %w", hostPrefix(vip), a.cfg.Interface, err)
			}
			added = append(added, "address "+hostPrefix(vip).String())
		}
		missing, err := a.routeMissing(vip)
		if err == nil && missing {
			err = a.nl.RouteReplace(a.route(vip))
			added = append(added, "route to "+vip.String())
		}
		if err != nil {
			return added, fmt.Errorf("route %s to %s: %w", vip, a.cfg.Interface, err)
		}
	}
	return added, nil
}

func (a *Agent) address(vip netip.Addr) *netlink.Addr {
	addr := &netlink.Addr{IPNet: ipNet(vip), Scope: unix.RT_SCOPE_HOST}
	if vip.Is6() {
		addr.Flags = unix.IFA_F_NODAD
		addr.Scope = unix.RT_SCOPE_UNIVERSE
	}
	return addr
}

// route is the host route of the main table, `ip route add VIP dev lo`.
func (a *Agent) route(vip netip.Addr) *netlink.Route {
	r := &netlink.Route{LinkIndex: a.link.Attrs().Index, Dst: ipNet(vip), Table: unix.RT_TABLE_MAIN, Scope: netlink.SCOPE_LINK}
	if vip.Is6() {
		r.Scope = netlink.SCOPE_UNIVERSE
	}
	return r
}

func (a *Agent) routeMissing(vip netip.Addr) (bool, error) {
	family := netlink.FAMILY_V4
	if vip.Is6() {
		family = netlink.FAMILY_V6
	}
	routes, err := a.nl.RouteListFiltered(family, a.route(vip), netlink.RT_FILTER_DST|netlink.RT_FILTER_OIF|netlink.RT_FILTER_TABLE)
	return len(routes) == 0, err
}

// undo takes everything off again: first the addresses, and only when they are
// gone the settings that keep them from being announced.
func (a *Agent) undo() error {
	err := a.removeAddresses()
	if err == nil {
		err = a.sys.Restore()
	}
	if err != nil {
		return fmt.Errorf("undo real server: %w (edgekeeper cleanup tries again)", err)
	}
	return statedir.Remove(a.cfg.StateDir, addressFile)
}

// removeAddresses takes off addresses and routes. What somebody else took off is fine.
func (a *Agent) removeAddresses() error {
	var errs []error
	for _, vip := range a.cfg.VIPs {
		if err := a.nl.RouteDel(a.route(vip)); err != nil && !gone(err) {
			errs = append(errs, fmt.Errorf("remove route to %s: %w", vip, err))
		}
		if err := a.nl.AddrDel(a.link, a.address(vip)); err != nil && !gone(err) {
			errs = append(errs, fmt.Errorf("remove %s from %s: %w", vip, a.cfg.Interface, err))
		}
	}
	return errors.Join(errs...)
}

func gone(err error) bool {
	return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV)
}

// Cleanup undoes what an agent with this state folder left when it was killed.
// The error wraps statedir.ErrRunning when the agent lives; then nothing is
// changed.
func Cleanup(stateDir string, log *slog.Logger) (err error) {
	unlock, err := statedir.Lock(stateDir, statedir.RealServer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	var st state
	if err := statedir.Read(stateDir, addressFile, &st); err != nil || st.Interface == "" {
		return err
	}
	a, err := open(Config{VIPs: st.VIPs, Interface: st.Interface, StateDir: stateDir, Log: log})
	if err != nil {
		return err
	}
	defer a.nl.Close()
	return a.undo()
}

// dropLeftovers takes off the addresses of a killed predecessor that this
// configuration does not want; the rest is taken over as it is, without a gap.
func dropLeftovers(cfg Config) error {
	var st state
	if err := statedir.Read(cfg.StateDir, addressFile, &st); err != nil {
		return err
	}
	if st.Interface == cfg.Interface {
		st.VIPs = slices.DeleteFunc(st.VIPs, func(v netip.Addr) bool { return slices.Contains(cfg.VIPs, v) })
	}
	if len(st.VIPs) == 0 {
		return nil
	}
	a, err := open(Config{VIPs: st.VIPs, Interface: st.Interface, StateDir: cfg.StateDir})
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil // they went with their interface
	}
	if err != nil {
		return err
	}
	defer a.nl.Close()
	return a.removeAddresses()
}

func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

func ipNet(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}
