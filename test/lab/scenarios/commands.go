package scenarios

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "commands", Doc: "weight, drain, undrain, priority, handover and connections, given to a running director",
		Needs: []scenario.Need{scenario.Edgekeeper}, Run: commands,
	})
}

func commands(t *scenario.T) {
	s, d1, d2 := pair(t, scenario.Edgekeeper)
	w1, w2 := s.Real("w1").String(), s.Real("w2").String()
	t.Phase("weight", func() {
		d1.CLI("weight", "web", w1, "3")
		s.WaitWeight(slow, "d1", "w1", 3)
		if out, err := d1.TryCLI("weight", "web", w1, "banana"); err == nil {
			t.Errorf("weight banana was taken: %s", out)
		}
		d1.CLI("weight", "-reset", "web", w1)
		s.WaitWeight(slow, "d1", "w1", 1)
	})
	t.Phase("drain, undrain", func() {
		d1.CLI("drain", "-reason", "test", "web", w2)
		s.WaitWeight(slow, "d1", "w2", 0)
		only(t, s, "w1")
		if out := d1.CLI("pools"); !strings.Contains(out, "drained by drain/web/"+w2+": test") {
			t.Errorf("pools does not say why w2 is drained:\n%s", out)
		}
		d1.CLI("undrain", "web", w2)
		s.WaitWeight(slow, "d1", "w2", 1)
		s.Served(slow, "w1", "w2")
	})
	t.Phase("connections", func() {
		var list []struct{ Client, Server, State string }
		t.OK(json.Unmarshal([]byte(d1.CLI("connections", "-json")), &list))
		seen := map[string]bool{}
		for _, c := range list {
			seen[c.Server] = true
			if !strings.HasPrefix(c.Client, s.Host("client").Addr.Addr().String()+":") {
				t.Errorf("a connection of %s; the only client is another", c.Client)
			}
		}
		if !seen[w1] || !seen[w2] {
			t.Errorf("connections names not both real servers: %v", seen)
		}
		t.OK(json.Unmarshal([]byte(d1.CLI("connections", "-json", "-server", w1)), &list))
		for _, c := range list {
			if c.Server != w1 {
				t.Errorf("-server %s lists one of %s", w1, c.Server)
			}
		}
		t.Measure("connections to one real server", "%d", len(list))
	})
	t.Phase("handover, and back by priority", func() {
		at := time.Now()
		t.Logf("%s", strings.TrimSpace(d1.CLI("handover")))
		s.Holder(5*time.Second, "d2")
		s.Served(slow, "w1", "w2")
		t.Measure("longest wait of the client at the handover", "%s", ms(s.Load.Gap(at, time.Now())))
		if out, err := d1.TryCLI("handover"); err == nil {
			t.Errorf("a backup handed over: %s", out)
		}
		d2.CLI("priority", "VI_1", "50")
		at = time.Now()
		s.Holder(45*time.Second, "d1")
		s.Served(slow, "w1", "w2")
		t.Measure("longest wait of the client at the preemption", "%s", ms(s.Load.Gap(at, time.Now())))
	})
	s.StopLoad()
	judgeOverlap(t, s, true)
}
