package lvs_test

import (
	"slices"
	"testing"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/google/go-cmp/cmp"
)

// A virtual server gets many real servers under a scheduler that does not look at
// all of them for each.
func TestDiffFills(t *testing.T) {
	const many = 512
	with := func(scheduler string, from, to int) lvs.Pool {
		svc := service(web)
		svc.Scheduler = scheduler
		var dests []lvs.Dest
		for i := from; i < to; i++ {
			dests = append(dests, dest(i, 1))
		}
		return lvs.NewPool(svc, dests...)
	}
	sticky := with("mh", 0, many)
	sticky.Service.Persistence, sticky.Service.Flags = 360, lvs.SchedulerFlag1
	partly := with("wlc", 0, 100)
	partly.Service.Persistence = 360
	for _, tt := range []struct {
		name string
		have lvs.Table
		want lvs.Pool
		ops  []string // of the virtual server; "…" are those of its real servers
	}{
		{"many", nil, with("wrr", 0, many), []string{"add tcp 61.139.2.1:80 scheduler wrr",
			"set tcp 61.139.2.1:80 scheduler wrr -> wlc: while it gets its real servers", "…",
			"set tcp 61.139.2.1:80 scheduler wlc -> wrr: has its real servers"}},
		{"one fewer", nil, with("wrr", 0, many-1), []string{"add tcp 61.139.2.1:80 scheduler wrr", "…"}},
		{"all else from the beginning", nil, sticky, []string{"add tcp 61.139.2.1:80 scheduler mh, flags 1, persistence 360 s",
			"set tcp 61.139.2.1:80 scheduler mh -> wlc: while it gets its real servers", "…",
			"set tcp 61.139.2.1:80 scheduler wlc -> mh: has its real servers"}},
		{"one that keeps nothing", nil, with("sed", 0, many), []string{"add tcp 61.139.2.1:80 scheduler sed", "…"}},
		{"ended halfway", table(partly), with("wrr", 0, many+100), []string{"…",
			"set tcp 61.139.2.1:80 scheduler wlc -> wrr, persistence 360 s -> 0 s: has its real servers"}},
		{"from the other slow one", table(with("mh", 0, 1)), with("wrr", 0, 2*many), []string{"set tcp 61.139.2.1:80 scheduler mh -> wrr", "…"}},
		{"few are missing", table(with("wlc", 0, 100)), with("wrr", 0, many+99), []string{"set tcp 61.139.2.1:80 scheduler wlc -> wrr", "…"}},
		{"it serves: left alone", table(with("wrr", 0, 100)), with("wrr", 0, 2*many), []string{"…"}},
		{"it serves, and something else changes", table(partly), with("wlc", 0, 2*many), []string{
			"set tcp 61.139.2.1:80 persistence 360 s -> 0 s", "…"}},
		{"as many go", table(with("wlc", 0, many)), with("wrr", many, 2*many), []string{"set tcp 61.139.2.1:80 scheduler wlc -> wrr", "…"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := desired(lvs.Want{Pool: tt.want})
			ops := lvs.Diff(tt.have, want)
			var got []string
			for _, op := range ops {
				if op.Verb.IsDest() {
					got = append(got, "…")
				} else {
					got = append(got, op.String())
				}
			}
			if d := cmp.Diff(tt.ops, slices.Compact(got)); d != "" {
				t.Error(d)
			}
			now := tt.have.Clone()
			if now == nil {
				now = lvs.Table{}
			}
			for _, op := range ops {
				if err := lvs.Apply(now, op); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(lvstest.Dump(table(tt.want)), lvstest.Dump(now)); d != "" {
				t.Errorf("after the ops (-want +have):\n%s", d)
			}
			if left := lvs.Diff(now, want); len(left) > 0 {
				t.Errorf("not idempotent: %v", texts(left))
			}
		})
	}
}
