package scenarios

import (
	"slices"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "links", Doc: "the master's cable, delay and loss on the backup's port, an island, and a broken heartbeat path",
		Needs: []scenario.Need{scenario.Edgekeeper}, Limit: 3 * time.Minute, Run: links,
	})
}

// links breaks the network instead of the directors.
func links(t *scenario.T) {
	s, d1, _ := pair(t, scenario.Edgekeeper)
	h1, h2 := s.Host("d1"), s.Host("d2")
	back := func(since time.Time) {
		s.Holder(master, "d1")
		s.Served(5*time.Second, "w1", "w2")
		t.Measure("longest wait of the client on the way back", "%s", ms(s.Load.Gap(since, time.Now())))
	}
	t.Phase("the cable of director 1 is pulled", func() {
		at := time.Now()
		t.OK(s.Unplug(h1, "eth0"))
		s.Holder(master, "d2")
		s.Served(5*time.Second, "w1", "w2")
		gap := s.Load.Gap(at, time.Now())
		t.Measure("cable pulled: longest wait of the client", "%s", ms(gap))
		if gap > served {
			t.Errorf("the client was without service for %s, promised are %s", ms(gap), served)
		}
		at = time.Now()
		t.OK(s.Plug(h1, "eth0"))
		back(at)
	})
	t.Phase("the backup hears late and loses half", func() {
		// Never three adverts in a row, which loss by chance does once in a while: after
		// those it has to take over.
		for i := range 8 {
			t.OK(s.Impair(h2, site.Impairment{Delay: 100 * time.Millisecond, Jitter: 50 * time.Millisecond, Loss: float32(100 * (i % 2))}))
			t.Holds(1200*time.Millisecond, "director 1 alone holds the address", func() bool {
				return slices.Equal(s.Sampler.Holders(), []string{"d1"})
			})
		}
		t.OK(s.Impair(h2, site.Impairment{}))
	})
	judgeOverlap(t, s, true)

	// With no path between the directors both are master: no protocol of two
	// can tell a dead peer from a deaf one. What counts is how it ends.
	t.Phase("director 1 is on an island", func() {
		t.OK(s.Partition(h1))
		t.Within(master, "both directors are master", func() bool { return len(s.Sampler.Holders()) == 2 })
		s.Served(5*time.Second, "w1", "w2") // by director 2, whose announcements the client heard
		at := time.Now()
		t.OK(s.Heal())
		back(at)
	})
	t.Phase("the directors do not hear each other", func() {
		t.OK(s.Deafen(h1, h2))
		t.Within(master, "both directors are master", func() bool { return len(s.Sampler.Holders()) == 2 })
		// Director 2 would step down with the first advert that it hears, and director 1
		// perhaps never know: let it hear first.
		t.OK(s.Impair(h2, site.Impairment{Loss: 100}))
		t.OK(s.Heal())
		t.Within(master, "the events of director 1 name a second master", func() bool { return strings.Contains(d1.CLI("events"), "second-master") })
		at := time.Now()
		t.OK(s.Impair(h2, site.Impairment{}))
		back(at)
	})
	s.StopLoad()
}
