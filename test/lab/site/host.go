package site

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Host is a network namespace that plays a machine.
type Host struct {
	Name string
	Addr netip.Prefix // on the site network, invalid on mgmt
	Mgmt netip.Prefix // on the management network
	ns   netns.NsHandle
	nl   *netlink.Handle
	own  private

	table balancer
}

func newHost(name string) (_ *Host, err error) {
	h := &Host{Name: name, ns: netns.None()}
	if err := os.MkdirAll(registry, 0o755); err != nil {
		return nil, fmt.Errorf("create host %s: %w", name, err)
	}
	mark := filepath.Join(registry, name)
	if _, err := os.Stat(filepath.Join("/run/netns", name)); err == nil {
		return nil, fmt.Errorf("create host %s: a network namespace of that name exists and is not the lab's", name)
	}
	if err := os.WriteFile(mark, nil, 0o644); err != nil {
		return nil, fmt.Errorf("create host %s: %w", name, err)
	}
	err = onThread(func() error {
		home, err := netns.Get()
		if err != nil {
			return err
		}
		defer home.Close()
		if h.ns, err = netns.NewNamed(name); err != nil { // leaves the thread in the new one
			return errors.Join(err, netns.Set(home))
		}
		return netns.Set(home)
	})
	if err == nil {
		h.nl, err = netlink.NewHandleAt(h.ns, unix.NETLINK_ROUTE)
	}
	if err == nil {
		err = h.up("lo")
	}
	if err == nil {
		h.own, err = newPrivate(h)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create host %s: %w", name, err), h.remove())
	}
	return h, nil
}

func (h *Host) remove() error {
	h.own.close()
	h.table.close()
	if h.nl != nil {
		h.nl.Close()
		h.nl = nil
	}
	if h.ns.IsOpen() && h.ns != 0 {
		h.ns.Close()
	}
	err := netns.DeleteNamed(h.Name)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.EINVAL) { // not there, or not mounted any more
		os.Remove(filepath.Join("/run/netns", h.Name))
		err = nil
	}
	if err != nil {
		return fmt.Errorf("remove host %s: %w", h.Name, err)
	}
	if err := os.Remove(filepath.Join(registry, h.Name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove host %s: %w", h.Name, err)
	}
	return nil
}

// id is the namespace as /proc/PID/ns/net shows it.
func (h *Host) id() string {
	var st unix.Stat_t
	if err := unix.Fstat(int(h.ns), &st); err != nil {
		return ""
	}
	return fmt.Sprintf("net:[%d]", st.Ino)
}

// onThread runs fn on a thread of its own choosing that runs nothing else meanwhile.
func onThread(fn func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return fn()
}

// Do runs fn inside the host's namespace. Sockets that fn opens stay there;
// goroutines that it starts do not run there. It may be called concurrently.
func (h *Host) Do(fn func() error) error {
	return onThread(func() error {
		home, err := netns.Get()
		if err != nil {
			return fmt.Errorf("enter %s: %w", h.Name, err)
		}
		defer home.Close()
		if err := netns.Set(h.ns); err != nil {
			return fmt.Errorf("enter %s: %w", h.Name, err)
		}
		err = fn()
		if back := netns.Set(home); back != nil {
			// A thread in the wrong namespace must never run anything else.
			panic(fmt.Sprintf("leave %s: %v", h.Name, back))
		}
		return err
	})
}

// Link returns an interface of the host.
func (h *Host) Link(name string) (netlink.Link, error) {
	l, err := h.nl.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find %s on %s: %w", name, h.Name, err)
	}
	return l, nil
}

func (h *Host) up(name string) error {
	l, err := h.Link(name)
	if err != nil {
		return err
	}
	if err := h.nl.LinkSetUp(l); err != nil {
		return fmt.Errorf("set %s on %s up: %w", name, h.Name, err)
	}
	return nil
}

func (h *Host) bridge(name string) error {
	la := netlink.NewLinkAttrs()
	la.Name = name
	if err := h.nl.LinkAdd(&netlink.Bridge{LinkAttrs: la}); err != nil { // no STP unless asked for
		return fmt.Errorf("add bridge %s: %w", name, err)
	}
	return h.up(name)
}

func (h *Host) attach(port, bridge string) error {
	p, err := h.Link(port)
	if err != nil {
		return err
	}
	b, err := h.Link(bridge)
	if err != nil {
		return err
	}
	if err := h.nl.LinkSetMasterByIndex(p, b.Attrs().Index); err != nil {
		return fmt.Errorf("attach %s to %s: %w", port, bridge, err)
	}
	return nil
}

// AddAddr puts an address on an interface.
func (h *Host) AddAddr(ifname string, p netip.Prefix, label string) error {
	l, err := h.Link(ifname)
	if err != nil {
		return err
	}
	addr := &netlink.Addr{IPNet: ipNet(p), Label: label}
	if err := h.nl.AddrAdd(l, addr); err != nil {
		return fmt.Errorf("add %s to %s on %s: %w", p, ifname, h.Name, err)
	}
	return nil
}

// Has reports whether an interface of the host carries addr. It may be called concurrently.
func (h *Host) Has(ifname string, addr netip.Addr) (bool, error) {
	l, err := h.Link(ifname)
	if err != nil {
		return false, err
	}
	return h.has(l, addr)
}

func (h *Host) has(l netlink.Link, addr netip.Addr) (bool, error) {
	family := unix.AF_INET
	if addr.Is6() {
		family = unix.AF_INET6
	}
	list, err := h.nl.AddrList(l, family)
	for range 100 { // while addresses come and go
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
		list, err = h.nl.AddrList(l, family)
	}
	if err != nil {
		return false, fmt.Errorf("list addresses of %s: %w", h.Name, err)
	}
	for _, a := range list {
		if got, ok := netip.AddrFromSlice(a.IP); ok && got.Unmap() == addr {
			return true, nil
		}
	}
	return false, nil
}

// Sysctl sets a kernel setting, such as "net.ipv4.conf.lo.arp_ignore".
func (h *Host) Sysctl(name string, value int) error {
	return h.Do(func() error {
		if err := os.WriteFile(sysctlPath(name), []byte(strconv.Itoa(value)), 0o644); err != nil {
			return fmt.Errorf("set %s on %s: %w", name, h.Name, err)
		}
		return nil
	})
}

// Setting reads a kernel setting.
func (h *Host) Setting(name string) (value int, err error) {
	err = h.Do(func() error {
		b, err := os.ReadFile(sysctlPath(name))
		if err == nil {
			value, err = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		if err != nil {
			return fmt.Errorf("read %s on %s: %w", name, h.Name, err)
		}
		return nil
	})
	return value, err
}

func sysctlPath(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c == '.' {
			b[i] = '/'
		}
	}
	return "/proc/sys/" + string(b)
}

// HTTP returns a client whose connections are made from this host.
func (h *Host) HTTP(timeout time.Duration) *http.Client {
	dial := func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		err = h.Do(func() error {
			var d net.Dialer
			c, err = d.DialContext(ctx, network, addr)
			return err
		})
		return c, err
	}
	return &http.Client{Timeout: timeout, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// RealServer makes the host answer for vip by direct routing, as an
// administrator would by hand: vip on lo, and no ARP for it.
func (h *Host) RealServer(vip netip.Addr) error {
	for _, ifname := range []string{"all", "lo"} {
		for name, value := range map[string]int{"arp_ignore": 1, "arp_announce": 2} {
			if err := h.Sysctl("net.ipv4.conf."+ifname+"."+name, value); err != nil {
				return err
			}
		}
	}
	return h.AddAddr("lo", netip.PrefixFrom(vip, vip.BitLen()), "")
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
