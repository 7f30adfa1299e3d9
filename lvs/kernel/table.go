//go:build linux

package kernel

import (
	"context"
	"fmt"
	"slices"

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
	var dests []lvs.Dest // of one virtual server, before their number is known
	var stats []lvs.Stats
	for _, s := range services {
		if err := ctx.Err(); err != nil {
			return lvs.Observed{}, fmt.Errorf("read real servers: %w", err)
		}
		svc := fromService(s.service)
		r := newRequest(cmdGetDest)
		r.service(s.service, false)
		err := p.dump(ctx, r, attrDest, func() { dests, stats = dests[:0], stats[:0] }, func(b []byte) error {
			d, st, err := decodeDest(b, s.Family)
			dests, stats = append(dests, d), append(stats, st)
			return err
		})
		if err != nil {
			return lvs.Observed{}, fmt.Errorf("read real servers of %s: %w", svc.Key, err)
		}
		// The kernel puts a new one in front of the others (__ip_vs_update_dest), and
		// we add them in order: from the back there is mostly nothing to sort.
		slices.Reverse(dests)
		slices.Reverse(stats)
		sum, of := s.stats, make(lvs.DestStats, len(dests))
		for i, st := range stats {
			of[i] = lvs.DestStat{Addr: dests[i].Addr, Stats: st}
			sum.Active += st.Active
			sum.Inactive += st.Inactive
			sum.Persistent += st.Persistent
		}
		of.Sort()
		out.Table[svc.Key] = lvs.NewPool(svc, dests...)
		out.Dests[svc.Key], out.Services[svc.Key] = of, sum
	}
	return out, nil
}
