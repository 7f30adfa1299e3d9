package show

import (
	"cmp"
	"fmt"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// server writes a real server.
func (g grid) server(mark string, srv control.PoolServer) {
	weight, active, inactive := "-", "-", "-"
	if k := srv.Kernel; k != nil {
		weight, active, inactive = fmt.Sprint(k.Weight), fmt.Sprint(k.Active), fmt.Sprint(k.Inactive)
		if int(k.Weight) != srv.Configured {
			weight += fmt.Sprintf(" of %d", srv.Configured)
		}
	}
	g.row("", mark+srv.Addr.String(), cmp.Or(srv.ID, srv.Node, "-"), srv.State.String(), weight, active, inactive, srv.Reason)
}

// substitutes writes who serves while the pool has lost its quorum.
func substitutes(g grid, p control.Pool) {
	if f := p.Fallback; f != nil {
		g.row("", "fallback "+f.Name, "", "", "", "", "", "")
		for _, srv := range f.Servers {
			g.server("  ", srv)
		}
	}
	if p.Sorry != nil {
		g.row("", "sorry server", "", "", "", "", "", "")
		g.server("  ", *p.Sorry)
	}
}
