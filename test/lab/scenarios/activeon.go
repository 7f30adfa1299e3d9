package scenarios

import (
	"encoding/json"
	"net/netip"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "active-on", Doc: "two directors that are real servers of each other: active_on = master keeps packets from going back and forth, also after kill -9 of the master",
		Needs: []scenario.Need{scenario.Edgekeeper}, Run: activeOn,
	})
}

// activeOn gives each director a web server; they are the pool.
func activeOn(t *scenario.T) {
	s := t.Site(site.Options{})
	mod := func(c *director.Config) {
		c.Real = nil
		for _, h := range []string{"d1", "d2"} {
			c.Real = append(c.Real, director.Real{Addr: netip.AddrPortFrom(s.Host(h).Addr.Addr(), scenario.Port), Weight: 1})
		}
		c.ExtraPool = `active_on = "master"`
	}
	for _, h := range []string{"d1", "d2"} {
		t.OK(s.Host(h).RealServer(s.VIP.Addr()))
		serve(t, s.Host(h), scenario.Port)
	}
	d1, d2 := s.Director("d1", driver(t, scenario.Edgekeeper), mod), s.Director("d2", driver(t, scenario.Edgekeeper), mod)
	services := func(host string) int {
		list, err := s.Host(host).IPVS()
		t.OK(err)
		return len(list)
	}
	whole := func(host string) bool {
		list, err := s.Host(host).IPVS()
		t.OK(err)
		return len(list) == 1 && len(list[0].Dests) == 2
	}
	d1.Start()
	d2.Start()
	s.Holder(master, "d1")
	s.StartLoad(0)
	s.Served(slow, "d1", "d2")
	t.Phase("the master alone has the virtual server", func() {
		t.Within(slow, "one virtual server on the master, none on the backup", func() bool { return services("d1") == 1 && services("d2") == 0 })
		only(t, s, "d1", "d2")
	})
	t.Phase("kill -9 of the master", func() {
		at := time.Now()
		t.OK(d1.Signal(syscall.SIGKILL))
		<-d1.Done()
		gone := t.Within(slow, "the killed director's virtual server is gone", func() bool { return services("d1") == 0 })
		t.Measure("virtual server of the killed master gone after", "%s", ms(gone))
		s.Holder(10*time.Second, "d2")
		t.Within(slow, "the new master has the virtual server", func() bool { return whole("d2") })
		s.Served(slow, "d1", "d2") // the killed director's web server is a real server of the new master
		t.Measure("longest wait of the client", "%s", ms(s.Load.Gap(at, time.Now())))
		only(t, s, "d1", "d2")
	})
	t.Phase("it is started again", func() {
		d1.Start()
		s.Holder(master, "d1")
		t.Within(slow, "the new master has it, the old one not", func() bool { return whole("d1") && services("d2") == 0 })
		s.Served(slow, "d1", "d2")
		only(t, s, "d1", "d2")
	})
	t.Phase("counters and rates", func() { rated(t, d1) })
	s.StopLoad()
	judgeOverlap(t, s, true)
}

// rated waits until the kernel's rates show the client's traffic, and compares the
// counters of the virtual server with those of its real servers.
func rated(t *scenario.T, d *scenario.Director) {
	type counters struct {
		Connections int `json:"connections"`
		InPackets   int `json:"in_packets"`
		Rates       struct {
			Connections int `json:"connections"`
			InPackets   int `json:"in_packets"`
			InBytes     int `json:"in_bytes"`
		} `json:"rates"`
	}
	var pool struct {
		Kernel  counters `json:"kernel"`
		Servers []struct {
			Kernel counters `json:"kernel"`
		} `json:"servers"`
	}
	read := func() {
		var list []json.RawMessage
		t.OK(json.Unmarshal([]byte(d.CLI("pools", "-json")), &list))
		t.OK(json.Unmarshal(list[0], &pool))
	}
	const least = 10 // of 50 connections per second: the average begins at nothing, and a busy machine sends less
	t.Within(slow, "the rates show the traffic", func() bool {
		read()
		r := pool.Kernel.Rates
		return r.Connections >= least && r.InPackets > r.Connections && r.InBytes > r.InPackets
	})
	sum := 0
	for _, s := range pool.Servers {
		if s.Kernel.Rates.Connections == 0 || s.Kernel.InPackets == 0 {
			t.Errorf("a real server that has traffic counts %+v", s.Kernel)
		}
		sum += s.Kernel.Connections
	}
	// The kernel adds up every two seconds, which a reading can come amid.
	const tick = 2 * scenario.DefaultRate
	if k := pool.Kernel; k.Connections > sum+tick || k.Connections < sum-tick || k.InPackets <= k.Connections {
		t.Errorf("the virtual server counts %+v, its real servers %d connections", k, sum)
	}
	t.Measure("counters", "%d connections, %d a second, of 50 that the client makes", pool.Kernel.Connections, pool.Kernel.Rates.Connections)
}
