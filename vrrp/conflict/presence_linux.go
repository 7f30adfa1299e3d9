package conflict

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

// Presence knows the addresses and MACs of this host. All lookouts of a process
// share one, so that the kernel is asked once for all of them. The zero value
// is ready.
type Presence struct {
	mu    sync.Mutex
	at    time.Time // of where
	where map[netip.Addr]string
	macAt time.Time
	macs  [][]byte
}

// fresh is how old an answer of the kernel may be.
const fresh = 900 * time.Millisecond

// addresses gives the addresses of this host but those of the loopback
// interface, with their interfaces, and the time before they were read. The map
// is not to be changed.
func (p *Presence) addresses() (time.Time, map[netip.Addr]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.at) < fresh {
		return p.at, p.where, nil
	}
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return now, nil, fmt.Errorf("list interfaces: %w", err)
	}
	names := map[int]string{}
	for _, l := range links {
		if a := l.Attrs(); a.Flags&net.FlagLoopback == 0 {
			names[a.Index] = a.Name
		}
	}
	list, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return now, nil, fmt.Errorf("list addresses: %w", err)
	}
	where := make(map[netip.Addr]string, len(list))
	for _, a := range list {
		name, ok := names[a.LinkIndex]
		if ip, valid := netip.AddrFromSlice(a.IP); ok && valid {
			where[ip.Unmap()] = name
		}
	}
	p.at, p.where = now, where
	return now, where, nil
}

// owns reports whether a MAC is that of an interface of this host. When the
// kernel does not say, it is: no alarm without evidence.
func (p *Presence) owns(mac string) bool {
	want, err := net.ParseMAC(mac)
	if err != nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.macAt) >= fresh {
		links, err := netlink.LinkList()
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			return true
		}
		p.macAt, p.macs = now, nil
		for _, l := range links {
			p.macs = append(p.macs, l.Attrs().HardwareAddr)
		}
	}
	for _, m := range p.macs {
		if bytes.Equal(m, want) {
			return true
		}
	}
	return false
}
