package site

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"sync"

	"github.com/cloudflare/ipvs"
)

// Dest is a real server in a host's IPVS table.
type Dest struct {
	Addr             netip.AddrPort
	Forward          string // Route, Masq, Tunnel, Local
	Weight           int
	Active, Inactive int // connections
}

// Service is a virtual server in a host's IPVS table.
type Service struct {
	Protocol  string // TCP, UDP, SCTP, FWM
	Addr      netip.AddrPort
	Scheduler string
	Dests     []Dest
}

// balancer is a host's connection to its IPVS, opened when it is first asked for.
// The list in /proc/net/ip_vs would need none; but where other namespaces have
// virtual servers too, the kernel leaves entries out of it at each end of a piece
// that is read (ip_vs_info_seq_next counts what ip_vs_info_array does not).
type balancer struct {
	mu     sync.Mutex
	client ipvs.Client
}

func (b *balancer) open(h *Host) (ipvs.Client, error) {
	if b.client != nil {
		return b.client, nil
	}
	err := h.Do(func() (err error) {
		b.client, err = ipvs.New()
		return err
	})
	return b.client, err
}

// close ends the connection, which would keep the namespace alive.
func (b *balancer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := b.client.(io.Closer); ok { // the interface does not show that it can be
		c.Close()
	}
	b.client = nil
}

// IPVS reads a host's IPVS table: what ipvsadm -Ln shows, without a process. No
// table is no service. It may be called concurrently. Amid somebody's changes a
// virtual server may be listed with the real servers of a moment later.
func (h *Host) IPVS() ([]Service, error) {
	h.table.mu.Lock()
	defer h.table.mu.Unlock()
	client, err := h.table.open(h)
	if errors.Is(err, fs.ErrNotExist) { // no module; below, nothing to list
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open IPVS of %s: %w", h.Name, err)
	}
	services, err := client.Services()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read IPVS table of %s: %w", h.Name, err)
	}
	var list []Service
	for _, s := range services {
		out := Service{Protocol: "FWM", Scheduler: s.Scheduler}
		if s.FWMark == 0 {
			out.Protocol, out.Addr = protocolNames[s.Protocol], netip.AddrPortFrom(s.Address, s.Port)
		}
		dests, err := client.Destinations(s.Service)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read IPVS table of %s: %w", h.Name, err)
		}
		for _, d := range dests {
			out.Dests = append(out.Dests, Dest{
				Addr: netip.AddrPortFrom(d.Address, d.Port), Forward: forwardNames[d.FwdMethod], Weight: int(d.Weight),
				Active: int(d.ActiveConnections), Inactive: int(d.InactiveConnections),
			})
		}
		list = append(list, out)
	}
	return list, nil
}

// Words of ipvsadm.
var (
	protocolNames = map[ipvs.Protocol]string{ipvs.TCP: "TCP", ipvs.UDP: "UDP", ipvs.SCTP: "SCTP"}
	forwardNames  = map[ipvs.ForwardType]string{ipvs.Masquerade: "Masq", ipvs.Local: "Local", ipvs.Tunnel: "Tunnel", ipvs.DirectRoute: "Route"}
)

// Weight returns the weight that a host's table gives dest in the virtual
// server at vs, and whether dest is there.
func (h *Host) Weight(vs, dest netip.AddrPort) (weight int, ok bool, err error) {
	list, err := h.IPVS()
	if err != nil {
		return 0, false, err
	}
	for _, s := range list {
		if s.Addr != vs {
			continue
		}
		for _, d := range s.Dests {
			if d.Addr == dest {
				return d.Weight, true, nil
			}
		}
	}
	return 0, false, nil
}
