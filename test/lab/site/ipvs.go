package site

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
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

// IPVS reads a host's IPVS table, from /proc/net/ip_vs: what ipvsadm -Ln
// shows, without a process. No table is no service. Of a table of more than 4096
// bytes entries can be missing where other namespaces have virtual servers, too:
// the kernel counts theirs when it goes on from one piece to the next
// (ip_vs_info_seq_next), and not when it finds its place again (ip_vs_info_array).
func (h *Host) IPVS() ([]Service, error) {
	var b []byte
	err := h.Do(func() (err error) {
		b, err = readPieces("/proc/thread-self/net/ip_vs")
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read IPVS table of %s: %w", h.Name, err)
	}
	return parseIPVS(string(b))
}

// readPieces reads a file of the kernel in pieces as large as it gives.
func readPieces(path string) (all []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for piece := make([]byte, 64<<10); ; {
		n, err := f.Read(piece)
		all = append(all, piece[:n]...)
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
	}
}

func parseIPVS(text string) ([]Service, error) {
	var list []Service
	lines := strings.Split(text, "\n")
	for _, line := range lines[min(3, len(lines)):] { // version and two headings
		f := strings.Fields(line)
		switch {
		case len(f) < 3:
		case f[0] == "->" && len(f) >= 6 && len(list) > 0:
			addr, err := parseHexAddr(f[1])
			if err != nil {
				return nil, err
			}
			d := Dest{Addr: addr, Forward: f[2]}
			for i, p := range []*int{&d.Weight, &d.Active, &d.Inactive} {
				if *p, err = strconv.Atoi(f[3+i]); err != nil {
					return nil, fmt.Errorf("parse IPVS line %q: %w", line, err)
				}
			}
			s := &list[len(list)-1]
			s.Dests = append(s.Dests, d)
		case f[0] == "FWM":
			list = append(list, Service{Protocol: f[0], Scheduler: f[2]})
		default:
			addr, err := parseHexAddr(f[1])
			if err != nil {
				return nil, err
			}
			list = append(list, Service{Protocol: f[0], Addr: addr, Scheduler: f[2]})
		}
	}
	return list, nil
}

// parseHexAddr reads "3D8B0201:0050", or an IPv6 address in brackets.
func parseHexAddr(s string) (netip.AddrPort, error) {
	if strings.HasPrefix(s, "[") {
		a, err := netip.ParseAddr(s[1:strings.LastIndexByte(s, ']')])
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("parse IPVS address: %w", err)
		}
		port, err := strconv.ParseUint(s[strings.LastIndexByte(s, ':')+1:], 16, 16)
		return netip.AddrPortFrom(a, uint16(port)), err
	}
	b, err := hex.DecodeString(strings.Replace(s, ":", "", 1))
	if err != nil || len(b) != 6 {
		return netip.AddrPort{}, fmt.Errorf("parse IPVS address %q: %w", s, err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), uint16(b[4])<<8|uint16(b[5])), nil
}

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
