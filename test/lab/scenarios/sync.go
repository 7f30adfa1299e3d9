package scenarios

import (
	"encoding/json"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
	"github.com/edgekeeper/edgekeeper/test/lab/traffic"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "sync-failover", Doc: "with connection_sync a running download survives kill -9 and a clean stop of the master; without it, not",
		Needs: []scenario.Need{scenario.Edgekeeper}, Limit: 5 * time.Minute, Run: syncFailover,
	})
}

func syncFailover(t *scenario.T) {
	kill := func(d *scenario.Director) { t.OK(d.SignalTree(syscall.SIGKILL)) }
	download(t, "kill -9 with connection_sync", true, kill)
	download(t, "clean stop with connection_sync", true, func(d *scenario.Director) { d.Stop() })
	download(t, "clean stop without", false, func(d *scenario.Director) { d.Stop() })
}

// downloadTime is long enough for the connection to be synchronized (the kernel
// sends what it has gathered every two seconds), the failover, and some more.
const downloadTime = 20 * time.Second

// download has a client download through director 1, lets it fail, and tells
// what became of the download.
func download(t *scenario.T, what string, synchronized bool, fail func(*scenario.Director)) {
	t.Part(what, func() {
		s := t.Site(site.Options{})
		s.StartWebs(false)
		mod := func(c *director.Config) {
			if synchronized {
				c.Extra = "ipvs {\n  connection_sync {\n    interface = \"eth1\"\n  }\n}"
			}
		}
		d1, d2 := s.Director("d1", driver(t, scenario.Edgekeeper), mod), s.Director("d2", driver(t, scenario.Edgekeeper), mod)
		d1.Start()
		d2.Start()
		s.Holder(master, "d1")
		s.WaitWeight(slow, "d1", "w1", 1)
		s.WaitWeight(slow, "d2", "w1", 1)
		role := func(d *scenario.Director) string { return d.Status().IPVS.Sync.State }
		if synchronized {
			t.Within(slow, "the daemons follow the roles", func() bool { return role(d1) == "master" && role(d2) == "backup" })
		}

		long := s.Hold(downloadTime)
		if synchronized {
			at := time.Now()
			t.Within(slow, "director 2 knows the connection", func() bool { return established(t, d2) > 0 })
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
			t.Within(downloadTime+slow, "the download ends", func() (ended bool) {
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

// established counts the established connections that a director knows.
func established(t *scenario.T, d *scenario.Director) (n int) {
	var list []struct{ State string }
	t.OK(json.Unmarshal([]byte(d.CLI("connections", "-json")), &list))
	for _, c := range list {
		if c.State == "ESTABLISHED" {
			n++
		}
	}
	return n
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
