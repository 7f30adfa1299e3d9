package scenarios

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "nomad-docs", Doc: "the ten commands of docs/nomad.md, as they stand, bring up a serving site; then plan, drain of a web node and of the master's node, stop",
		Needs: []scenario.Need{scenario.Edgekeeper, scenario.Nomad, scenario.Consul}, Limit: 8 * time.Minute, Extra: true, Run: nomadDocs,
	})
}

// documented returns the commands of the first shell block of docs/nomad.md.
func documented(t *scenario.T) []string {
	text, err := os.ReadFile("docs/nomad.md")
	t.OK(err)
	_, rest, _ := strings.Cut(string(text), "\n```sh\n")
	block, _, closed := strings.Cut(rest, "\n```\n")
	if !closed {
		t.Fatalf("docs/nomad.md has no shell block")
	}
	var out []string
	for line := range strings.Lines(block) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

func nomadDocs(t *scenario.T) {
	s, c, n := cluster(t, true)
	edgekeeper := t.Binary(scenario.Edgekeeper)
	// What differs in the lab from a site where the defaults fit.
	env := []string{
		"NOMAD_ADDR=" + n.Address(), "NOMAD_CLI_NO_COLOR=1",
		"PATH=" + strings.Join([]string{filepath.Dir(edgekeeper), filepath.Dir(n.Binary), os.Getenv("PATH")}, ":"),
		"NOMAD_VAR_binary=" + edgekeeper, "NOMAD_VAR_consul=" + c.Address(), "NOMAD_VAR_address=${meta.site_address}", "NOMAD_VAR_shutdown_delay=4s",
		"NOMAD_VAR_command=" + t.Lab(), `NOMAD_VAR_args=["web","-name","$${node.unique.name}"]`,
	}
	sh := func(command string) string {
		host := s.Mgmt()
		if strings.HasPrefix(command, "curl ") { // that is for clients of the site
			host = s.Client()
			s.Holder(time.Minute, "d1")
			s.WaitWeight(time.Minute, "d1", "w1", 1)
			s.WaitWeight(time.Minute, "d1", "w2", 1)
		}
		out, err := s.RunEnv(host, env, "/bin/sh", "-c", command)
		t.Logf("$ %s\n%s", command, out)
		t.OK(err)
		return out
	}
	t.Phase("the ten commands", func() {
		commands := documented(t)
		if len(commands) != 10 {
			t.Errorf("the page has %d commands", len(commands))
		}
		began := time.Now()
		var said []string
		for _, command := range commands {
			said = append(said, sh(command))
		}
		t.Measure("from bare clients to a serving address", "%s", ms(time.Since(began)))
		for i, want := range map[int]string{7: "VI_1 MASTER 100", 8: "web", 9: "VI_1"} {
			if i < len(said) && !strings.Contains(said[i], want) {
				t.Errorf("%s does not tell %q", commands[i], want)
			}
		}
	})
	s.StartLoad(20)
	s.Served(30*time.Second, "web1", "web2")
	drain := func(node, flags string) {
		sh(`nomad node drain ` + flags + ` -yes "$(nomad node status -quiet -filter 'Name == "` + node + `"')"`)
	}
	t.Phase("plan", func() {
		if out := sh("edgekeeper jobs plan -var vip=61.139.2.1/29 -var secret=5525 director"); !strings.Contains(out, "No changes.") {
			t.Errorf("the plan of what runs has changes")
		}
	})
	began := time.Now()
	t.Phase("drain of a web node", func() {
		drain("web1", "-enable -detach")
		t.Within(time.Minute, "director 1 gives it nothing", func() bool { return s.Weight("d1", "w1") <= 0 })
		t.Sleep(6 * time.Second) // past its stop
		drain("web1", "-disable")
	})
	ended := time.Now()
	t.Phase("drain of the master's node", func() {
		drain("lvs1", "-enable -detach")
		s.Holder(time.Minute, "d2")
		t.Sleep(2 * time.Second)
	})
	moved := time.Now()
	t.Phase("edgekeeper jobs stop", func() {
		sh("edgekeeper jobs stop edgekeeper-director")
		s.Nobody(time.Minute)
	})
	s.StopLoad()
	if w := s.Load.Window(began, ended); w.Lost() > 0 {
		t.Errorf("%d requests were lost while a web node was drained: %s", w.Lost(), w)
	}
	t.Measure("longest wait of the client while the master's node was drained", "%s", ms(s.Load.Gap(ended, moved)))
	judgeOverlap(t, s, true)
}
