package scenarios

import (
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "settings", Doc: "what direct routing needs of the kernel: set on directors and web servers, undone on stop, also after kill -9",
		Needs: []scenario.Need{scenario.Edgekeeper}, Run: settings,
	})
}

// What an administrator sets by hand for direct routing. On a director the
// kernel takes the OR of all and the interface for send_redirects; on a web
// server the greater of the two for arp_ignore and arp_announce.
var (
	directorSettings = map[string]int{
		"net.ipv4.conf.all.send_redirects":     0,
		"net.ipv4.conf.default.send_redirects": 0,
		"net.ipv4.conf.eth0.send_redirects":    0,
	}
	webSettings = map[string]int{
		"net.ipv4.conf.all.arp_ignore":   1,
		"net.ipv4.conf.lo.arp_ignore":    1,
		"net.ipv4.conf.all.arp_announce": 2,
		"net.ipv4.conf.lo.arp_announce":  2,
	}
)

func settings(t *scenario.T) {
	s := t.Site(site.Options{})
	d1, d2, web := s.Host("d1"), s.Host("d2"), s.Host("w1")
	read := func(h *site.Host, names map[string]int) map[string]int {
		got := map[string]int{}
		for name := range names {
			value, err := h.Setting(name)
			t.OK(err)
			got[name] = value
		}
		return got
	}
	is := func(h *site.Host, want map[string]int) func() bool {
		return func() bool { return maps.Equal(read(h, want), want) }
	}
	before := map[*site.Host]map[string]int{d1: read(d1, directorSettings), d2: read(d2, directorSettings), web: read(web, webSettings)}
	if slices.Contains(slices.Collect(maps.Values(before[d1])), 0) {
		t.Fatalf("send_redirects is off before anything ran: %v", before[d1])
	}

	director := s.Director("d1", driver(t, scenario.Edgekeeper))
	t.Phase("a director sets and undoes them", func() {
		director.Start()
		t.Within(slow, "send_redirects is off on director 1", is(d1, directorSettings))
		s.Holder(master, "d1")
		director.Stop()
		t.Within(slow, "send_redirects on director 1 is what it was", is(d1, before[d1]))
	})
	t.Phase("what a killed director left, the next one undoes", func() {
		director.Start()
		t.Within(slow, "send_redirects is off on director 1", is(d1, directorSettings))
		t.OK(director.SignalTree(syscall.SIGKILL))
		<-director.Done()
		director.Start()
		s.Holder(master, "d1")
		director.Stop()
		t.Within(slow, "send_redirects on director 1 is what it was", is(d1, before[d1]))
	})

	began := 0
	agent := func() *site.Proc {
		began++
		p, err := s.Start(web, site.Command{Name: "realserver",
			Args: []string{t.Binary(scenario.Edgekeeper), "realserver", "-vip", s.VIP.Addr().String()}})
		t.OK(err)
		t.Within(slow, "web 1 is prepared", func() bool {
			ok, err := web.Has("lo", s.VIP.Addr())
			t.OK(err)
			// What a killed one left looks prepared before this one has begun.
			log, err := os.ReadFile(p.Log)
			t.OK(err)
			return ok && is(web, webSettings)() && strings.Count(string(log), "ready as a real server") == began
		})
		return p
	}
	bare := func() {
		ok, err := web.Has("lo", s.VIP.Addr())
		t.OK(err)
		if got := read(web, webSettings); ok || !maps.Equal(got, before[web]) {
			t.Errorf("web 1 after the stop: address on lo %v, settings %v, were %v", ok, got, before[web])
		}
	}
	t.Phase("a real-server agent sets and undoes them", func() {
		t.OK(agent().Stop(5 * time.Second))
		bare()
	})
	t.Phase("what a killed agent left, the next one undoes", func() {
		p := agent()
		t.OK(p.Signal(syscall.SIGKILL))
		<-p.Done()
		t.OK(agent().Stop(5 * time.Second))
		bare()
	})
	judgeOverlap(t, s, true)
}
