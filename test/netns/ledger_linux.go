package netns

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Holding is an address that came to a host or went from it. At is when this
// was read, which on a busy machine is later than it was; the order is the
// kernel's.
type Holding struct {
	Host string
	At   time.Time
	Has  bool
}

// Ledger records which hosts hold an address. One socket hears the kernel's
// notifications of all of them (NETLINK_LISTEN_ALL_NSID), so that the order of
// changes on different hosts is true, however busy the machine is: an address
// that two hosts held for a microsecond shows, and one that moved from one to
// the other never looks as if both had it.
type Ledger struct {
	ip    netip.Addr
	hosts map[int32]string // by the number of their namespace

	mu  sync.Mutex
	log []Holding
}

// Ledger begins to record, for as long as the test runs. Which hosts have the
// address already is the beginning of the record.
func (l *LAN) Ledger(t testing.TB, ip string, hosts ...*Host) *Ledger {
	t.Helper()
	g := &Ledger{ip: netip.MustParseAddr(ip), hosts: map[int32]string{}}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	must(t, "open netlink", err)
	must(t, "listen to all namespaces", unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_LISTEN_ALL_NSID, 1))
	must(t, "make room", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20))
	for _, h := range hosts {
		id, err := netlink.GetNetNsIdByFd(int(h.ns))
		if err == nil && id < 0 {
			if err = netlink.SetNetNsIdByFd(int(h.ns), -1); err == nil {
				id, err = netlink.GetNetNsIdByFd(int(h.ns))
			}
		}
		must(t, "number namespace", err)
		g.hosts[int32(id)] = h.Name
	}
	must(t, "bind netlink", unix.Bind(fd, &unix.SockaddrNetlink{
		Family: unix.AF_NETLINK, Groups: 1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_IFADDR-1),
	}))
	for _, h := range hosts {
		if h.Has(t, ip) {
			g.log = append(g.log, Holding{h.Name, time.Now(), true})
		}
	}
	f := os.NewFile(uintptr(fd), "netlink")
	raw, err := f.SyscallConn()
	must(t, "use netlink", err)
	var wg sync.WaitGroup
	wg.Go(func() {
		buf, oob := make([]byte, 64<<10), make([]byte, 256)
		for {
			var n, oobn int
			var failure error
			err := raw.Read(func(fd uintptr) bool {
				n, oobn, _, _, failure = unix.Recvmsg(int(fd), buf, oob, 0)
				return failure != unix.EAGAIN
			})
			if err != nil {
				return // closed
			}
			if failure != nil {
				t.Errorf("netns: ledger of %s: %v", ip, failure)
				return
			}
			g.read(buf[:n], oob[:oobn])
		}
	})
	t.Cleanup(func() { _ = f.Close(); wg.Wait() })
	return g
}

// read notes what one datagram says about the address.
func (g *Ledger) read(b, oob []byte) {
	host, ok := "", false
	controls, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	for _, c := range controls {
		if c.Header.Level == unix.SOL_NETLINK && c.Header.Type == unix.NETLINK_LISTEN_ALL_NSID && len(c.Data) >= 4 {
			host, ok = g.hosts[int32(binary.NativeEndian.Uint32(c.Data))]
		}
	}
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil || !ok {
		return
	}
	now := time.Now()
	for _, m := range messages {
		if m.Header.Type != unix.RTM_NEWADDR && m.Header.Type != unix.RTM_DELADDR {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			continue
		}
		var ip netip.Addr
		for _, a := range attrs { // IFA_LOCAL is the address where both are there
			if a.Attr.Type == unix.IFA_LOCAL || a.Attr.Type == unix.IFA_ADDRESS && !ip.IsValid() {
				ip, _ = netip.AddrFromSlice(a.Value)
			}
		}
		if ip == g.ip {
			g.mu.Lock()
			g.log = append(g.log, Holding{host, now, m.Header.Type == unix.RTM_NEWADDR})
			g.mu.Unlock()
		}
	}
}

// First is when the address came to a host, or went, after from.
func (g *Ledger) First(h *Host, has bool, from time.Time) (time.Time, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, x := range g.log {
		if x.Host == h.Name && x.Has == has && !x.At.Before(from) {
			return x.At, true
		}
	}
	return time.Time{}, false
}

// After waits for that and returns how long after from it was.
func (g *Ledger) After(t testing.TB, limit time.Duration, h *Host, has bool, from time.Time) time.Duration {
	t.Helper()
	var at time.Time
	Wait(t, limit, fmt.Sprintf("change of %s on %s to %v", g.ip, h.Name, has), func() bool {
		var ok bool
		at, ok = g.First(h, has, from)
		return ok
	})
	return at.Sub(from)
}

// Judge returns how often since from a second host came to hold the address,
// for how long two did in all, and the longest time that none did.
func (g *Ledger) Judge(from time.Time) (times int, two, none time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	has := map[string]bool{}
	var prev time.Time
	var gap time.Duration
	until := func(at time.Time) {
		if prev.Before(from) {
			prev = from
		}
		length := max(at.Sub(prev), 0)
		switch prev = at; len(has) {
		case 0:
			gap += length
			none = max(none, gap)
			return
		case 1:
		default:
			two += length
		}
		gap = 0
	}
	for _, x := range g.log {
		until(x.At)
		if !x.Has {
			delete(has, x.Host)
			continue
		}
		if !has[x.Host] && len(has) > 0 && !x.At.Before(from) {
			times++
		}
		has[x.Host] = true
	}
	until(time.Now())
	return times, two, none
}

// Alone fails the test when two hosts held the address since from. wait is how long
// a router waits for one that lives to let go of the address; when the machine was
// late by more, that one may have held it meanwhile for as long, and is not blamed.
func (g *Ledger) Alone(t testing.TB, from time.Time, late *Lateness, wait time.Duration) {
	t.Helper()
	times, two, none := g.Judge(from)
	switch busy := late.Between(from, time.Now()); {
	case times == 0:
		t.Logf("%s was on no host for at most %s", g.ip, none.Round(time.Millisecond))
	case busy > wait && two <= busy:
		t.Logf("two hosts had %s for %s; the machine was late by %s", g.ip, two, busy)
	default:
		t.Errorf("two hosts had %s %d times, for %s; the machine was late by %s", g.ip, times, two, busy)
	}
}

// Holders are the hosts that have the address now.
func (g *Ledger) Holders() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	has := map[string]bool{}
	var out []string
	for _, x := range g.log {
		has[x.Host] = x.Has
	}
	for host, yes := range has {
		if yes {
			out = append(out, host)
		}
	}
	return out
}
