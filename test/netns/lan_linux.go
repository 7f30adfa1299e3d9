package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

var enterOnce sync.Once

// Interface is the name of every host's interface to its LAN.
const Interface = "eth0"

// LAN is a bridge with hosts on it. The bridge lives in the test's own
// namespace.
type LAN struct {
	bridge netlink.Link
	ports  int
	id     int
}

// lans counts LANs, for names; tests may run in parallel.
var lans atomic.Int32

// NewLAN makes an empty LAN, removed at the end of the test.
func NewLAN(t testing.TB) *LAN {
	t.Helper()
	enterOnce.Do(func() { enter(t) })
	l := &LAN{id: int(lans.Add(1))}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = fmt.Sprintf("lan%d", l.id)
	off := false
	// Without multicast snooping the bridge floods like a plain switch.
	bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &off}
	must(t, "add bridge", netlink.LinkAdd(bridge))
	must(t, "set bridge up", netlink.LinkSetUp(bridge))
	l.bridge = bridge
	t.Cleanup(func() { _ = netlink.LinkDel(bridge) })
	return l
}

// Host is one network namespace with the interface eth0 on a LAN.
type Host struct {
	Port // of eth0
	Name string
	ns   vnetns.NsHandle
}

// Host adds a host with addresses such as "192.0.2.1/24" or "2001:db8::1/64".
// Its IPv6 addresses need no duplicate address detection.
func (l *LAN) Host(t testing.TB, name string, addresses ...string) *Host {
	t.Helper()
	h := &Host{Name: name}
	ns, err := newNamespace()
	must(t, "make namespace", err)
	h.ns = ns
	t.Cleanup(func() { _ = ns.Close() })

	h.Do(t, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	h.Port = l.Join(t, h, Interface, addresses...)
	return h
}

// Do runs f on a thread in the host's namespace. Sockets that f opens stay
// there; goroutines that f starts run elsewhere.
func (h *Host) Do(t testing.TB, f func() error) {
	t.Helper()
	must(t, "on host "+h.Name, inNamespace(h.ns, f))
}

// Neighbour makes the MAC address of another host known for good, as a static
// ARP or neighbour entry.
func (h *Host) Neighbour(t testing.TB, ip string, of *Host) {
	t.Helper()
	mac := HardwareOf(t, of)
	h.Do(t, func() error {
		link, err := netlink.LinkByName(Interface)
		if err != nil {
			return err
		}
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: net.ParseIP(ip), HardwareAddr: mac})
	})
}

// HardwareOf gives the MAC address of a host's eth0.
func HardwareOf(t testing.TB, h *Host) (mac net.HardwareAddr) {
	t.Helper()
	h.Do(t, func() error {
		link, err := netlink.LinkByName(Interface)
		if err == nil {
			mac = link.Attrs().HardwareAddr
		}
		return err
	})
	return mac
}

// Isolate takes the host's port out of the bridge, or puts it back: frames are
// lost while the carrier stays, as with a broken switch.
func (l *LAN) Isolate(t testing.TB, h *Host, isolated bool) {
	t.Helper()
	link, err := netlink.LinkByName(h.port)
	must(t, "find port", err)
	if isolated {
		must(t, "leave bridge", netlink.LinkSetNoMaster(link))
		return
	}
	must(t, "join bridge", netlink.LinkSetMaster(link, l.bridge))
}

// Address is an address on a host as the kernel has it.
type Address struct {
	Prefix    netip.Prefix
	Label     string
	Flags     int // IFA_F_*
	Valid     int // seconds; the largest uint32 is for ever
	Preferred int
}

// Addresses lists the addresses of eth0.
func (h *Host) Addresses(t testing.TB) []Address {
	t.Helper()
	var out []Address
	h.Do(t, func() error {
		link, err := netlink.LinkByName(Interface)
		if err != nil {
			return err
		}
		list, err := AddrList(link)
		for _, a := range list {
			ip, _ := netip.AddrFromSlice(a.IP)
			bits, _ := a.Mask.Size()
			out = append(out, Address{netip.PrefixFrom(ip.Unmap(), bits), a.Label, a.Flags, a.ValidLft, a.PreferedLft})
		}
		return err
	})
	return out
}

// AddrList is netlink's, for addresses that come and go meanwhile.
func AddrList(link netlink.Link) (list []netlink.Addr, err error) {
	for range 100 {
		list, err = netlink.AddrList(link, netlink.FAMILY_ALL)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return list, err
}

// Has reports whether eth0 has the address.
func (h *Host) Has(t testing.TB, ip string) bool {
	t.Helper()
	want := netip.MustParseAddr(ip)
	for _, a := range h.Addresses(t) {
		if a.Prefix.Addr() == want {
			return true
		}
	}
	return false
}

// newNamespace makes a network namespace without leaving the present one.
func newNamespace() (vnetns.NsHandle, error) {
	var ns vnetns.NsHandle
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		var err error
		ns, err = vnetns.Get()
		return err
	})
	return ns, err
}

func inNamespace(ns vnetns.NsHandle, f func() error) error {
	return onThread(func() error {
		if err := vnetns.Set(ns); err != nil {
			return fmt.Errorf("enter namespace: %w", err)
		}
		return f()
	})
}

// onThread runs f on a thread that is thrown away afterwards, because f
// changes its namespace.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		done <- f()
	}()
	return <-done
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("netns: %s: %v", what, err)
	}
}
