// Package site builds the lab's site: hosts as network namespaces on one
// switch, with a second network for management, and the processes in them.
//
//	host     eth0 (site)        eth1 (management)
//	d1, d2   61.139.2.2, .3     10.77.0.2, .3     directors
//	w1, w2   61.139.2.4, .5     10.77.0.4, .5     web servers
//	client   61.139.2.6         10.77.0.6
//	w3 …     61.139.2.7 …       10.77.0.7 …       with more than two web servers
//	mgmt                        10.77.0.10        Consul and Nomad servers
//
// The virtual address is 61.139.2.1. The site network is a /29 with two web
// servers, as in the site it is modelled on, and a /28 with more.
//
// A Site belongs to one goroutine, except for what is documented otherwise.
package site

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Log receives progress lines, without a line end.
type Log func(format string, args ...any)

// Options describe a site; the zero value is the one of the package comment.
type Options struct {
	Webs int    // number of web servers, default 2, at most 6
	Out  string // folder for the logs of the site's processes
	Log  Log    // nil discards
	// Sample is how often the sampler asks who holds the virtual address,
	// default 10 ms.
	Sample time.Duration
	// Aside lets commands of RunWithin, and processes that say so, have of the
	// processors only what all others leave.
	Aside bool
}

// Site is a running site.
type Site struct {
	VIP    netip.Prefix // virtual address, with the site network's mask
	hosts  []*Host
	sw     *Host // the switch: bridges site, island, mgmt
	out    string
	log    Log
	sample time.Duration
	procs  []*Proc
	aside  *aside // nil for none
}

const (
	bridgeSite   = "site"
	bridgeIsland = "island" // takes the ports of a partition's other side
	bridgeMgmt   = "mgmt"
	maxWebs      = 6
)

// New builds a site. Namespaces that an earlier, killed lab left behind are
// removed first; a namespace of the same name that is not the lab's is an error.
func New(o Options) (_ *Site, err error) {
	if o.Webs == 0 {
		o.Webs = 2
	}
	if o.Webs > maxWebs {
		return nil, fmt.Errorf("build site: %d web servers, at most %d", o.Webs, maxWebs)
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	bits := 29
	if o.Webs > 2 {
		bits = 28
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, fmt.Errorf("create folder for logs: %w", err)
	}
	s := &Site{VIP: netip.PrefixFrom(netip.MustParseAddr("61.139.2.1"), bits), out: o.Out, log: o.Log, sample: o.Sample}
	if s.sample == 0 {
		s.sample = sampleEvery
	}
	if err := removeLeftovers(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if o.Aside {
		if s.aside, err = newAside(); err != nil {
			return nil, err
		}
	}
	if s.sw, err = newHost("switch"); err != nil {
		return nil, err
	}
	for _, b := range []string{bridgeSite, bridgeIsland, bridgeMgmt} {
		if err := s.sw.bridge(b); err != nil {
			return nil, err
		}
	}
	octets := map[string]byte{"d1": 2, "d2": 3, "client": 6, "mgmt": 10}
	names := []string{"d1", "d2"}
	for i := 1; i <= o.Webs; i++ {
		name := fmt.Sprintf("w%d", i)
		names = append(names, name)
		octets[name] = byte(3 + i)
		if i > 2 {
			octets[name] = byte(4 + i) // .6 is the client
		}
		if i > 5 {
			octets[name] = byte(5 + i) // .10 is the management host
		}
	}
	names = append(names, "client", "mgmt")
	for _, name := range names {
		h, err := newHost(name)
		if err != nil {
			return nil, err
		}
		s.hosts = append(s.hosts, h)
		n := octets[name]
		h.Mgmt = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, 0, n}), 24)
		if name != "mgmt" {
			h.Addr = netip.PrefixFrom(netip.AddrFrom4([4]byte{61, 139, 2, n}), bits)
			if err := s.connect(h, "eth0", h.Addr, bridgeSite, [6]byte{2, 0, 0, 0, 0, n}); err != nil {
				return nil, err
			}
		}
		if err := s.connect(h, "eth1", h.Mgmt, bridgeMgmt, [6]byte{2, 0, 0, 1, 0, n}); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Host returns a host by name; an unknown name is a mistake in a scenario and panics.
func (s *Site) Host(name string) *Host {
	for _, h := range s.hosts {
		if h.Name == name {
			return h
		}
	}
	panic("site has no host " + name)
}

// Directors returns d1 and d2.
func (s *Site) Directors() []*Host { return s.hosts[:2] }

// Webs returns the web servers, w1 first.
func (s *Site) Webs() []*Host { return s.hosts[2 : len(s.hosts)-2] }

// Client returns the client.
func (s *Site) Client() *Host { return s.Host("client") }

// Mgmt returns the host that is only on the management network.
func (s *Site) Mgmt() *Host { return s.Host("mgmt") }

// Out returns the folder for logs and files of this site.
func (s *Site) Out() string { return s.out }

// Close kills every process in the site's namespaces and removes them.
func (s *Site) Close() error {
	all := s.hosts
	if s.sw != nil {
		all = append(slices.Clone(all), s.sw)
	}
	err := killAll(all, 5*time.Second)
	for _, p := range s.procs {
		p.reaped()
	}
	for _, h := range all {
		err = errors.Join(err, h.remove())
	}
	err = errors.Join(err, s.aside.remove())
	s.hosts, s.sw, s.procs, s.aside = nil, nil, nil, nil
	return err
}

// The names of the namespaces that the lab made, so that it removes no others.
const registry = "/run/edgekeeper-lab"

func removeLeftovers() error {
	made, err := os.ReadDir(registry)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("list leftovers: %w", err)
	}
	for _, e := range made {
		h := &Host{Name: e.Name()}
		if ns, err := netns.GetFromName(e.Name()); err == nil {
			h.ns = ns
			if err := killAll([]*Host{h}, 5*time.Second); err != nil {
				return err
			}
		}
		if err := h.remove(); err != nil {
			return err
		}
	}
	return nil
}

// killAll kills whatever runs in the hosts' namespaces and waits until it is gone.
func killAll(hosts []*Host, limit time.Duration) error {
	inside := make(map[string]bool)
	for _, h := range hosts {
		if id := h.id(); id != "" {
			inside[id] = true
		}
	}
	for end := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		left := 0
		err := eachProcess(func(pid int) {
			// A process that ends while we look has no namespace any more; a dead one not yet waited for neither.
			if ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid)); err == nil && inside[ns] && pid != os.Getpid() {
				left++
				kill(pid)
			}
		})
		if err != nil || left == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d processes in the lab's namespaces survive SIGKILL", left)
		}
	}
}

// connect gives h an interface on one of the switch's bridges.
func (s *Site) connect(h *Host, name string, addr netip.Prefix, bridge string, mac [6]byte) error {
	port := s.port(h, name)
	la := netlink.NewLinkAttrs()
	la.Name = port
	link := &netlink.Veth{LinkAttrs: la, PeerName: name, PeerNamespace: netlink.NsFd(h.ns), PeerHardwareAddr: mac[:]}
	if err := s.sw.nl.LinkAdd(link); err != nil {
		return fmt.Errorf("add link %s of %s: %w", name, h.Name, err)
	}
	if err := s.sw.attach(port, bridge); err != nil {
		return err
	}
	if err := s.sw.up(port); err != nil {
		return err
	}
	return errors.Join(h.up(name), h.AddAddr(name, addr, ""))
}

// port names the switch's end of a host's interface.
func (s *Site) port(h *Host, ifname string) string { return h.Name + "." + ifname[len(ifname)-1:] }

func (s *Site) logFile(host, name string) string {
	return filepath.Join(s.out, host+"-"+strings.ReplaceAll(name, "/", "_")+".log")
}
