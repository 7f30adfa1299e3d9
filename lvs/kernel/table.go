//go:build linux

package kernel

import (
	"context"
	"fmt"
	"slices"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// table reads the table. What is as it was in last is taken from there, so that a
// table that stands still takes no memory anew however often it is read.
func (p *pipe) table(ctx context.Context, last lvs.Observed) (lvs.Observed, error) {
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
	var of lvs.DestStats
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
		sum := s.stats
		of = of[:0]
		for i, st := range stats {
			of = append(of, lvs.DestStat{Addr: dests[i].Addr, Stats: st})
			sum.Active += st.Active
			sum.Inactive += st.Inactive
			sum.Persistent += st.Persistent
		}
		of.Sort()
		pool := lvs.PoolOf(svc, dests)
		pool.Dests = same(last.Table[svc.Key].Dests, pool.Dests)
		out.Table[svc.Key], out.Dests[svc.Key], out.Services[svc.Key] = pool, same(last.Dests[svc.Key], of), sum
	}
	return out, nil
}

// same gives was where it equals is, else a copy of is.
func same[S ~[]E, E comparable](was, is S) S {
	if was != nil && slices.Equal(was, is) {
		return was
	}
	return slices.Clone(is)
}
