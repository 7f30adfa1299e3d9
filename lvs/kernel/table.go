//go:build linux

package kernel

import (
	"context"
	"fmt"

	"github.com/cloudflare/ipvs"
	"github.com/edgekeeper/edgekeeper/lvs"
)

func (p *pipe) table(ctx context.Context) (lvs.Observed, error) {
	var services []serviceEntry
	err := p.dump(ctx, newRequest(cmdGetService), attrService, func() { services = services[:0] }, func(b []byte) error {
		s, err := decodeService(b)
		services = append(services, s)
		return err
	})
	if err != nil {
		return lvs.Observed{}, fmt.Errorf("read virtual servers: %w", err)
	}
	out := lvs.Observed{
		Table:    make(lvs.Table, len(services)),
		Dests:    make(map[lvs.Key]lvs.DestStats, len(services)),
		Services: make(map[lvs.Key]lvs.Stats, len(services)),
	}
	var dests []ipvs.DestinationExtended
	for _, s := range services {
		if err := ctx.Err(); err != nil {
			return lvs.Observed{}, fmt.Errorf("read real servers: %w", err)
		}
		svc := fromService(s.service)
		r := newRequest(cmdGetDest)
		r.service(s.service, false)
		err := p.dump(ctx, r, attrDest, func() { dests = dests[:0] }, func(b []byte) error {
			d, err := decodeDest(b, s.Family)
			dests = append(dests, d)
			return err
		})
		if err != nil {
			return lvs.Observed{}, fmt.Errorf("read real servers of %s: %w", svc.Key, err)
		}
		sum := fromStats(s.stats, s.stats64)
		pool, stats := make([]lvs.Dest, 0, len(dests)), make(lvs.DestStats, 0, len(dests))
		for _, e := range dests {
			dst := fromDest(e.Destination)
			st := fromStats(e.Stats, e.Stats64)
			st.Active, st.Inactive, st.Persistent = e.ActiveConnections, e.InactiveConnections, e.PersistentConnections
			stats = append(stats, lvs.DestStat{Addr: dst.Addr, Stats: st})
			sum.Active += st.Active
			sum.Inactive += st.Inactive
			sum.Persistent += st.Persistent
			pool = append(pool, dst)
		}
		stats.Sort()
		out.Table[svc.Key] = lvs.PoolOf(svc, pool)
		out.Dests[svc.Key], out.Services[svc.Key] = stats, sum
	}
	return out, nil
}
