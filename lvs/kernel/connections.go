//go:build linux

package kernel

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// connectionFile is the connection table of the calling thread's network
// namespace. (/proc/net is the one of the process's first thread.)
const connectionFile = "/proc/thread-self/net/ip_vs_conn"

// ErrBadConnection is returned, wrapped with the line, for a line of the
// connection table that does not parse.
var ErrBadConnection = errors.New("unexpected form of an IPVS connection")

// Connections returns the entries of the kernel's connection table that the
// filter picks, like `ipvsadm -Lnc`, in the kernel's order. The table may have
// millions of entries: use the filter's Limit.
func (d *Driver) Connections(ctx context.Context, filter lvs.ConnectionFilter) ([]lvs.Connection, error) {
	f, err := os.Open(connectionFile)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w (%w)", ErrNoIPVS, err)
		}
		return nil, fmt.Errorf("read connections: %w", err)
	}
	defer f.Close()
	return ParseConnections(ctx, f, filter)
}

// ParseConnections reads the text of /proc/net/ip_vs_conn and returns the
// entries that the filter picks.
func ParseConnections(ctx context.Context, r io.Reader, filter lvs.ConnectionFilter) ([]lvs.Connection, error) {
	var out []lvs.Connection
	sc := bufio.NewScanner(r)
	for n := 0; sc.Scan(); n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("read connections: %w", ctx.Err())
		}
		line := sc.Text()
		if strings.HasPrefix(line, "Pro FromIP") || strings.TrimSpace(line) == "" {
			continue
		}
		c, err := parseConnection(line)
		if err != nil {
			return nil, fmt.Errorf("%w: %w: %q", ErrBadConnection, err, line)
		}
		if !filter.Match(c) {
			continue
		}
		out = append(out, c)
		if filter.Limit > 0 && len(out) >= filter.Limit {
			return out, nil
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read connections: %w", err)
	}
	return out, nil
}

// parseConnection reads one line (ip_vs_conn_seq_show):
//
//	Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
//	TCP C0A80005 D431 3D8B0201 0050 3D8B0204 0050 ESTABLISHED     899
//	IP  C0A80005 0000 00010041 0000 3D8B0204 0000 NONE             58
//
// The last is a template of a firewall mark, which stands in the first four
// bytes of the virtual server's address.
func parseConnection(line string) (lvs.Connection, error) {
	f := strings.Fields(line)
	if len(f) < 9 {
		return lvs.Connection{}, fmt.Errorf("%d fields, want at least 9", len(f))
	}
	var c lvs.Connection
	var err error
	if c.Protocol, err = parseProtocol(f[0]); err != nil {
		return lvs.Connection{}, err
	}
	for i, into := range []*netip.AddrPort{&c.Client, &c.Virtual, &c.Dest} {
		if *into, err = parseEndpoint(f[1+2*i], f[2+2*i]); err != nil {
			return lvs.Connection{}, err
		}
	}
	if c.Protocol == 0 { // only templates of firewall marks have none (ip_vs_sched_persist)
		c.Mark, c.Virtual = binary.BigEndian.Uint32(c.Virtual.Addr().AsSlice()), netip.AddrPort{}
	}
	c.State = f[7]
	secs, err := strconv.ParseInt(f[8], 10, 32)
	if err != nil {
		return lvs.Connection{}, fmt.Errorf("expiry %q: %w", f[8], err)
	}
	c.Expires = time.Duration(max(secs, 0)) * time.Second
	if len(f) > 9 {
		c.Engine = f[9]
		c.Data = strings.Join(f[10:], " ")
	}
	return c, nil
}

// parseProtocol reads ip_vs_proto_name: a name, or IP_n for one without. A
// template of a firewall mark has protocol IP (0).
func parseProtocol(s string) (lvs.Protocol, error) {
	switch s {
	case "TCP":
		return lvs.TCP, nil
	case "UDP":
		return lvs.UDP, nil
	case "SCTP":
		return lvs.SCTP, nil
	case "IP":
		return 0, nil
	case "ICMP":
		return 1, nil
	case "ICMPv6":
		return 58, nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "IP_"), 10, 8)
	if err != nil {
		return 0, fmt.Errorf("protocol %q: %w", s, lvs.ErrUnknownName)
	}
	return lvs.Protocol(n), nil
}

// parseEndpoint reads an address and a port: IPv4 as 8 hexadecimal digits in
// network order, IPv6 as text, the port as 4 hexadecimal digits.
func parseEndpoint(addr, port string) (netip.AddrPort, error) {
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("port %q: %w", port, err)
	}
	var a netip.Addr
	if strings.Contains(addr, ":") {
		a, err = netip.ParseAddr(strings.Trim(addr, "[]"))
		if err == nil && a.Zone() != "" {
			err = fmt.Errorf("zone %q: %w", a.Zone(), fs.ErrInvalid)
		}
	} else {
		var n uint64
		n, err = strconv.ParseUint(addr, 16, 32)
		a = netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %q: %w", addr, err)
	}
	return netip.AddrPortFrom(a, uint16(p)), nil
}
