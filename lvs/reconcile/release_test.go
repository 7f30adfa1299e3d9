package reconcile_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
)

func TestRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs := pool(dns, dest(9, 1))
		b := start(t, reconcile.Config{}, tableOf(theirs, pool(alt)))
		d := desired(pool(web, dest(4, 1)))
		d.Pools[alt] = lvs.Want{Hold: "no verdict"}
		b.reach(b.Set(d))
		b.ops()
		b.stop()
		if err := b.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.wantOps("remove tcp 61.139.2.1:80: released on stop", "remove tcp 61.139.2.1:8080: released on stop")
		b.wantTable(theirs)
	})
}

// Release works in Run's stead, too.
func TestReleaseWithoutRun(t *testing.T) {
	k := &lvstest.Kernel{}
	k.Load(tableOf(pool(web, dest(4, 1)), pool(dns)))
	r := reconcile.New(k, reconcile.Config{})
	r.Set(desired(pool(web)))
	if err := r.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := k.Dump(); got != "udp 61.139.2.1:53 wrr\n" {
		t.Errorf("left:\n%s", got)
	}
	if s := r.Status(); len(s.Observed.Table) != 1 || s.Counts[reconcile.Count{Verb: lvs.RemoveService, Result: reconcile.Done}] != 1 {
		t.Errorf("status %+v", s)
	}
}

func TestReleaseEndsTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, nil)
		b.reach(b.Set(desired(pool(web, dest(4, 1)))))
		if err := b.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		b.wantTable()
	})
}
