package lvs_test

import (
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestDrain(t *testing.T) {
	id := lvs.DestID{Key: web, Addr: addr(4)}
	pool := lvs.NewPool(service(web), dest(4, 1), dest(5, 1))
	zero := lvs.NewPool(service(web), dest(4, 0), dest(5, 1))
	busy := lvs.DestStats{{Addr: id.Addr, Stats: lvs.Stats{Active: 3}}}
	fin := lvs.DestStats{{Addr: id.Addr, Stats: lvs.Stats{Inactive: 9}}}
	without := lvs.Want{Pool: lvs.NewPool(service(web), dest(5, 1)), Drain: time.Minute}
	began := lvs.Drains{id: t0.Add(-10 * time.Second)}
	late := lvs.Drains{id: t0.Add(-time.Minute)}
	begins := []string{"set tcp 61.139.2.1:80 -> 10.0.0.4:80 weight 1 -> 0: draining for at most 1m0s"}

	udp := lvs.Want{Pool: lvs.NewPool(service(dns), dest(5, 1)), Drain: time.Minute}
	atOnce := without
	atOnce.Drain = 0
	failed := without
	failed.AtOnce = map[netip.AddrPort]bool{addr(4): true}
	held := without
	held.Hold = "no verdict"
	back := without
	back.Pool = lvs.NewPool(service(web), dest(4, 2), dest(5, 1))

	for _, tt := range []struct {
		name   string
		pool   lvs.Pool
		stats  lvs.DestStats
		want   lvs.Want
		since  lvs.Drains
		ops    []string
		drains lvs.Drains
		next   time.Time
	}{
		{"begins", pool, busy, without, nil, begins, lvs.Drains{id: t0}, t0.Add(time.Minute)},
		{"idle begins as well: a connection may be on its way", pool, fin, without, nil, begins, lvs.Drains{id: t0}, t0.Add(time.Minute)},
		{"goes on from when it began", zero, busy, without, began, nil, began, t0.Add(50 * time.Second)},
		{"after a restart: begins again", zero, busy, without, nil, nil, lvs.Drains{id: t0}, t0.Add(time.Minute)},
		{"connections unknown: stays", zero, nil, without, began, nil, began, t0.Add(50 * time.Second)},
		{"inactive ones do not count", zero, fin, without, began,
			[]string{"remove tcp 61.139.2.1:80 -> 10.0.0.4:80: drained, no active connections"}, lvs.Drains{}, time.Time{}},
		{"deadline", zero, busy, without, late,
			[]string{"remove tcp 61.139.2.1:80 -> 10.0.0.4:80: drain deadline of 1m0s passed with 3 active connections"}, lvs.Drains{}, time.Time{}},
		{"somebody gave it weight: taken again, same deadline", pool, busy, without, began, begins, began, t0.Add(50 * time.Second)},
		{"comes back", zero, busy, back, began,
			[]string{"set tcp 61.139.2.1:80 -> 10.0.0.4:80 weight 0 -> 2"}, lvs.Drains{}, time.Time{}},
		{"gone from the kernel", lvs.NewPool(service(web), dest(5, 1)), nil, without, began, nil, lvs.Drains{}, time.Time{}},
		{"no drain", pool, busy, atOnce, nil, []string{"remove tcp 61.139.2.1:80 -> 10.0.0.4:80: no longer wanted"}, lvs.Drains{}, time.Time{}},
		{"failed", pool, busy, failed, nil, []string{"remove tcp 61.139.2.1:80 -> 10.0.0.4:80: no longer wanted"}, lvs.Drains{}, time.Time{}},
		{"udp", lvs.NewPool(service(dns), dest(4, 1), dest(5, 1)), busy, udp, nil,
			[]string{"remove udp 61.139.2.1:53 -> 10.0.0.4:80: no longer wanted"}, lvs.Drains{}, time.Time{}},
		{"held: nothing begins", pool, busy, held, nil, nil, lvs.Drains{}, time.Time{}},
		{"held: what drains remembers it", zero, busy, held, began, nil, began, time.Time{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			have := lvs.Observed{Table: table(tt.pool), Dests: map[lvs.Key]lvs.DestStats{id.Key: tt.stats}}
			in := desired(tt.want)
			want, drains, next := lvs.Drain(have, in, tt.since, t0)
			if d := cmp.Diff(tt.ops, texts(lvs.Diff(have.Table, want))); d != "" {
				t.Errorf("ops: %s", d)
			}
			if d := cmp.Diff(tt.drains, drains); d != "" {
				t.Errorf("drains: %s", d)
			}
			if !next.Equal(tt.next) {
				t.Errorf("next %v, want %v", next, tt.next)
			}
			if len(in.Pools[tt.want.Pool.Service.Key].Pool.Dests) != len(tt.want.Pool.Dests) || in.Pools[tt.want.Pool.Service.Key].Reasons != nil {
				t.Error("Drain changed its argument")
			}
		})
	}
}

// Whatever the tables, draining ends: with every connection gone, or with the
// deadline passed, the table is the desired one; before that, no real server
// with a connection is removed from a pool that drains.
func TestDrainEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		have, want := genTable().Draw(t, "have"), genDesired().Draw(t, "want")
		for k, w := range want.Pools {
			w.Drain = rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "drain")
			want.Pools[k] = w
		}
		var k lvstest.Kernel
		k.Load(have)
		for key, p := range have {
			for _, d := range p.Dests {
				k.SetConnections(lvs.DestID{Key: key, Addr: d.Addr}, uint32(rapid.IntRange(0, 1).Draw(t, "active")), 1)
			}
		}
		var since lvs.Drains
		step := func(now time.Time) {
			o, err := k.Table(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var w lvs.Desired
			before := maps.Clone(since)
			w, since, _ = lvs.Drain(o, want, since, now)
			for _, op := range lvs.Diff(o.Table, w) {
				drains := want.Pools[op.Service.Key].Drain > 0 && op.Service.Protocol != lvs.UDP
				stats, _ := o.Dest(op.ID())
				if op.Verb == lvs.RemoveDest && drains && stats.Active > 0 && now.Sub(before[op.ID()]) < time.Minute {
					t.Fatalf("%s although it has connections", op)
				}
				if err := k.Do(op); err != nil {
					t.Fatal(err)
				}
			}
		}
		step(t0)
		step(t0.Add(30 * time.Second))
		step(t0.Add(time.Minute))
		step(t0.Add(time.Minute))
		if len(since) != 0 {
			t.Fatalf("still draining: %v", since)
		}
		if d := cmp.Diff(lvstest.Dump(result(have, want)), k.Dump()); d != "" {
			t.Fatalf("(-want +have):\n%s", d)
		}
	})
}
