// Package scenarios holds the lab's scenarios, each registered under its name.
package scenarios

import (
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	for _, v := range []struct {
		name, doc string
		d1, d2    scenario.Need
	}{
		{"s20", "the site's test plan, edgekeeper on both directors", scenario.Edgekeeper, scenario.Edgekeeper},
		{"s20-keepalived", "the same plan, keepalived on both directors", scenario.Keepalived, scenario.Keepalived},
		{"s20-keepalived-first", "the same plan, keepalived on director 1 and edgekeeper on director 2", scenario.Keepalived, scenario.Edgekeeper},
		{"s20-edgekeeper-first", "the same plan, edgekeeper on director 1 and keepalived on director 2", scenario.Edgekeeper, scenario.Keepalived},
	} {
		scenario.Register(scenario.Scenario{
			Name: v.name, Doc: v.doc, Needs: []scenario.Need{v.d1, v.d2},
			Run: func(t *scenario.T) { s20(t, v.d1, v.d2) },
		})
	}
}

// driver returns the driver of what a scenario wants on a director.
func driver(t *scenario.T, n scenario.Need) director.Driver {
	if n == scenario.Keepalived {
		return director.Keepalived{Binary: t.Binary(n)}
	}
	return director.Edgekeeper{Binary: t.Binary(scenario.Edgekeeper)}
}

// master is how long the first election may take: 3.6 s of silence, and the start.
const master = 10 * time.Second

// s20 is the site's test plan: the virtual address is on the director of higher
// priority, the client reaches the web servers in turn; director 2 takes over
// from director 1; with both stopped nothing answers; director 1 brings the
// service back.
func s20(t *scenario.T, first, second scenario.Need) {
	s := t.Site(site.Options{})
	s.StartWebs(first == scenario.Edgekeeper && second == scenario.Edgekeeper)
	d1, d2 := s.Director("d1", driver(t, first)), s.Director("d2", driver(t, second))
	d1.Start()
	d2.Start()
	s.Holder(master, "d1")
	s.StartLoad(0)
	s.Served(10*time.Second, "w1", "w2")

	t.Phase("director 1 serves", func() {
		t.Sleep(2 * time.Second)
	})
	var gap time.Duration
	t.Phase("director 1 stops, director 2 takes over", func() {
		stopped := time.Now()
		d1.Stop()
		s.Holder(5*time.Second, "d2")
		s.Served(5*time.Second, "w1", "w2")
		gap = s.Load.Gap(stopped, time.Time{})
		t.Sleep(time.Second)
	})
	t.Phase("both stopped, nothing answers", func() {
		d2.Stop()
		s.Nobody(2 * time.Second)
		silent := time.Now()
		t.Sleep(2 * time.Second)
		if n := s.Load.Window(silent, time.Time{}).OK(); n > 0 {
			t.Errorf("%d requests were answered with no director", n)
		}
	})
	t.Phase("director 1 starts, service is back", func() {
		d1.Start()
		s.Holder(master, "d1")
		s.Served(5*time.Second, "w1", "w2")
		t.Sleep(time.Second)
	})
	s.StopLoad()
	t.Measure("gap for the client at the stop of director 1", "%s", ms(gap))
	judgeOverlap(t, s, first == scenario.Edgekeeper && second == scenario.Edgekeeper)
}

// judgeOverlap reports for how long two directors held the virtual address,
// the first election included, and fails the scenario for any such time when
// strict, unless the machine let nobody run for longer than a director waits for one
// that lives to let go of the address.
func judgeOverlap(t *scenario.T, s *scenario.Site, strict bool) {
	d, held := s.Sampler.Overlap(time.Time{}), s.Sampler.Blameless(time.Time{})
	t.Measure("both directors held the virtual address for", "%s", ms(d))
	if held > 0 {
		t.Measure("of that, while the machine was held up", "%s", ms(held))
	}
	if strict && d > held {
		t.Errorf("both directors held the virtual address, for %s:\n%s", ms(d), s.Holders())
	}
}

// ms prints a duration to the millisecond.
func ms(d time.Duration) string { return d.Round(time.Millisecond).String() }
