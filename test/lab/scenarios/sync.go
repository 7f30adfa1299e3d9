package scenarios

import (
	"encoding/json"
	"slices"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
	"github.com/edgekeeper/edgekeeper/test/lab/traffic"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "sync-failover", Doc: "with connection_sync a running download survives kill -9 of the master and its return, and a clean stop; without it, not",
		Needs: []scenario.Need{scenario.Edgekeeper}, Limit: 5 * time.Minute, Run: syncFailover,
	})
}

func syncFailover(t *scenario.T) {
	kill := func(d *scenario.Director) { t.OK(d.SignalTree(syscall.SIGKILL)) }
	stop := func(d *scenario.Director) { d.Stop() }
	download(t, "kill -9 with connection_sync", true, true, kill)
	download(t, "clean stop with connection_sync", true, false, stop)
	download(t, "clean stop without", false, false, stop)
}

// downloadTime is long enough for the connection to be synchronized (the kernel
// sends what it has gathered every two seconds), the failover, and some more.
// returnTime is for the way back as well.
const (
	downloadTime = 20 * time.Second
	returnTime   = 35 * time.Second
)

// download has a client download through director 1, lets it fail, and tells
// what became of the download. With back director 1 starts again, waits with its
// preemption until it knows the connection, and takes over while it goes on.
func download(t *scenario.T, what string, synchronized, back bool, fail func(*scenario.Director)) {
	t.Part(what, func() {
		s := t.Site(site.Options{})
		s.StartWebs(false)
		mod := func(c *director.Config) {
			if back {
				// The kernel sends what it knows of a connection with every 50th of its
				// packets (net.ipv4.vs.sync_threshold), here every 5 s.
				c.ExtraVRRP = "preempt_delay     = \"9s\""
			}
			if synchronized {
				c.Extra = "ipvs {\n  connection_sync {\n    interface = \"eth1\"\n  }\n}"
			}
		}
		d1, d2 := s.Director("d1", driver(t, scenario.Edgekeeper), mod), s.Director("d2", driver(t, scenario.Edgekeeper), mod)
		// One after the other: a tick of lateness at the start may make director 2
		// master, and director 1 waits for its preempt_delay then.
		d1.Start()
		s.Holder(master, "d1")
		d2.Start()
		s.WaitWeight(slow, "d1", "w1", 1)
		s.WaitWeight(slow, "d2", "w1", 1)
		role := func(d *scenario.Director) string { return d.Status().IPVS.Sync.State }
		if synchronized {
			t.Within(slow, "the daemons follow the roles", func() bool { return role(d1) == "master" && role(d2) == "backup" })
		}

		length := downloadTime
		if back {
			length = returnTime
		}
		long := s.Hold(length)
		if synchronized {
			at := time.Now()
			t.Within(slow, "director 2 knows the connection", func() bool { return len(established(t, d2)) > 0 })
			t.Measure(what+": director 2 knew the connection after", "%s", ms(time.Since(at)))
		} else {
			t.Sleep(3 * time.Second)
		}
		var result traffic.Result
		t.Phase(what, func() {
			at := time.Now()
			fail(d1)
			s.Holder(10*time.Second, "d2")
			t.Measure(what+": address on director 2 after", "%s", ms(time.Since(at)))
			if synchronized {
				t.Within(slow, "the daemon of director 2 is master", func() bool { return role(d2) == "master" })
			}
			if back {
				comeBack(t, s, d1, d2)
			}
			t.Within(length+slow, "the download ends", func() (ended bool) {
				result, ended = outcome(long)
				return ended
			})
		})
		t.Measure(what+": download", "%s after %s, longest pause %s", result.Outcome, ms(result.Latency), ms(pause(long)))
		if survived := result.Outcome == traffic.OK; survived != synchronized {
			t.Errorf("%s: the download ended %s", what, result.Outcome)
		}
		judgeOverlap(t, s, true)
	})
}

// comeBack has a client begin a download through director 2, which director 1 has
// never seen, and starts director 1 again, which must know it before it takes over.
func comeBack(t *scenario.T, s *scenario.Site, d1, d2 *scenario.Director) {
	long := s.Hold(returnTime - downloadTime/2)
	at := time.Now()
	d1.Start()
	t.Within(slow, "director 1 answers", func() bool { _, err := d1.TryCLI("status", "-json"); return err == nil })
	t.Within(slow, "director 1 knows the connections of director 2", func() bool {
		known := established(t, d1)
		all := established(t, d2)
		return len(all) > 0 && !slices.ContainsFunc(all, func(client string) bool { return !slices.Contains(known, client) })
	})
	knew := time.Since(at)
	if !slices.Equal(s.Sampler.Holders(), []string{"d2"}) {
		t.Errorf("director 1 preempted before it knew the connection; the address is on %v", s.Sampler.Holders())
	}
	s.Holder(20*time.Second, "d1")
	t.Measure("director 1 is back", "it knew the connections after %s, and took over after %s", ms(knew), ms(time.Since(at)))
	t.Within(returnTime+slow, "the second download ends", func() bool {
		result, ended := outcome(long)
		if ended {
			t.Measure("download that began through director 2", "%s after %s, longest pause %s", result.Outcome, ms(result.Latency), ms(pause(long)))
			if result.Outcome != traffic.OK {
				t.Errorf("the download that began through director 2 ended %s", result.Outcome)
			}
		}
		return ended
	})
}

// established lists the clients of the established connections that a director
// knows.
func established(t *scenario.T, d *scenario.Director) (clients []string) {
	var list []struct{ State, Client string }
	t.OK(json.Unmarshal([]byte(d.CLI("connections", "-json")), &list))
	for _, c := range list {
		if c.State == "ESTABLISHED" {
			clients = append(clients, c.Client)
		}
	}
	return clients
}

// outcome gives the result of a held connection, once it has ended.
func outcome(l *traffic.Load) (traffic.Result, bool) {
	for _, r := range l.Window(time.Time{}, time.Time{}) {
		if r.Outcome != traffic.Line {
			return r, true
		}
	}
	return traffic.Result{}, false
}

// pause is the longest time between two lines of a held connection.
func pause(l *traffic.Load) (longest time.Duration) {
	var last time.Time
	for _, r := range l.Window(time.Time{}, time.Time{}) {
		if r.Outcome != traffic.Line {
			continue
		}
		if !last.IsZero() {
			longest = max(longest, r.Sent.Sub(last))
		}
		last = r.Sent
	}
	return longest
}
