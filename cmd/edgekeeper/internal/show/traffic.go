package show

import (
	"fmt"
	"io"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// Counters writes what the kernel has counted for every virtual server and real
// server since they were added to its table, like `ipvsadm -Ln --stats`.
func Counters(w io.Writer, s control.Snapshot) error {
	t := table(w, "POOL", "REAL SERVER", "CONNECTIONS", "PACKETS IN", "PACKETS OUT", "BYTES IN", "BYTES OUT")
	for _, p := range s.Pools {
		if k := p.Kernel; k != nil {
			t.row(counts(p.Name, p.Service, k.Connections, k.InPackets, k.OutPackets, k.InBytes, k.OutBytes)...)
		}
		for _, srv := range inKernel(p) {
			k := srv.Kernel
			t.row(counts("", srv.Addr.String(), k.Connections, k.InPackets, k.OutPackets, k.InBytes, k.OutBytes)...)
		}
	}
	return t.flush()
}

// Rates writes the kernel's averages per second, like `ipvsadm -Ln --rate`.
func Rates(w io.Writer, s control.Snapshot) error {
	t := table(w, "POOL", "REAL SERVER", "CONNECTIONS/S", "PACKETS IN/S", "PACKETS OUT/S", "BYTES IN/S", "BYTES OUT/S")
	row := func(pool, server string, r control.Rates) {
		t.row(counts(pool, server, uint64(r.Connections), uint64(r.InPackets), uint64(r.OutPackets), r.InBytes, r.OutBytes)...)
	}
	for _, p := range s.Pools {
		if p.Kernel != nil {
			row(p.Name, p.Service, p.Kernel.Rates)
		}
		for _, srv := range inKernel(p) {
			row("", srv.Addr.String(), srv.Kernel.Rates)
		}
	}
	return t.flush()
}

func counts(pool, server string, numbers ...uint64) []string {
	out := []string{pool, server}
	for _, n := range numbers {
		out = append(out, fmt.Sprint(n))
	}
	return out
}

// inKernel lists the real servers of a pool that are in the kernel's table, those
// that stand in for it too.
func inKernel(p control.Pool) (out []control.PoolServer) {
	for _, srv := range p.Everybody() {
		if srv.Kernel != nil {
			out = append(out, srv)
		}
	}
	return out
}
