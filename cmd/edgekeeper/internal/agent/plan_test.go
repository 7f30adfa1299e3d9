package agent_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

const twoServers = `
  real_server "10.0.0.1:80" {}
  real_server "10.0.0.2:80" { weight = 3 }`

// planned prints the changes of a plan, a line each.
func planned(p control.Plan) string {
	var lines []string
	for _, c := range p.Changes {
		lines = append(lines, c.Verb+" "+c.Kind+" "+c.Object+" "+c.Text)
	}
	return strings.Join(lines, "\n")
}

// TestPlan: a plan says what a reload then does, and changes nothing itself; for
// the configuration in force there is nothing to do.
func TestPlan(t *testing.T) {
	s := newSite(t)
	s.config("release", twoServers)
	s.start()
	s.table("10.0.0.1:1 10.0.0.2:3")
	path := filepath.Join(s.dir, "director.hcl")
	p, err := s.client().Plan(t.Context(), path, "")
	if err != nil || len(p.Changes) != 0 || p.Refused != "" {
		t.Fatalf("the configuration in force: %v, %+v", err, p)
	}
	before := s.kernel.Dump()
	s.config("release", `real_server "10.0.0.2:80" { weight = 5 }`)
	p, err = s.client().Plan(t.Context(), path, "")
	text := planned(p)
	if err != nil || !strings.Contains(text, "weight 3 -> 5") || !strings.Contains(text, "remove ipvs") || !strings.Contains(text, "change virtual_server web") {
		t.Errorf("%v, planned:\n%s", err, text)
	}
	if now := s.kernel.Dump(); now != before {
		t.Errorf("the plan has changed the table:\n%s", now)
	}
	s.hup <- syscall.SIGHUP
	s.table("10.0.0.2:5")

	s.write("director.hcl", strings.ReplaceAll(`router_id = "other"
state_dir = "DIR/state"
control { socket = "DIR/sock" }`, "DIR", s.dir))
	if p, err = s.client().Plan(t.Context(), path, ""); err != nil || !strings.Contains(p.Refused, "router_id") || !strings.Contains(planned(p), "remove ipvs") {
		t.Errorf("%v, refused %q, planned:\n%s", err, p.Refused, planned(p))
	}
	s.write("director.hcl", "nonsense")
	if _, err = s.client().Plan(t.Context(), path, ""); !errors.Is(err, control.ErrBadRequest) {
		t.Errorf("a broken configuration: %v", err)
	}
	s.config("release", twoServers)
}

// TestPreview plans a start where no director runs: the table of a kernel that
// was left alone needs nothing.
func TestPreview(t *testing.T) {
	s := newSite(t)
	s.config("keep", twoServers)
	cfg, err := config.Load(filepath.Join(s.dir, "director.hcl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	platform := agent.Platform{PeekIPVS: func(context.Context, *slog.Logger) (agent.IPVS, error) { return s.kernel, nil }}
	p, err := agent.Preview(t.Context(), "a.hcl", cfg, platform)
	if text := planned(p); err != nil || !strings.Contains(text, "add virtual_server web") || strings.Count(text, "add ipvs") != 3 {
		t.Errorf("%v, planned:\n%s", err, text)
	}
	s.start()
	s.table("10.0.0.1:1 10.0.0.2:3")
	s.stop() // which keeps it
	if p, err = agent.Preview(t.Context(), "a.hcl", cfg, platform); err != nil || strings.Contains(planned(p), "ipvs") {
		t.Errorf("%v, planned for a table that is right:\n%s", err, planned(p))
	}
}

// TestDebugHoldsNoSecret: whatever holds a secret by its type or by its use is
// not in what a director tells of itself.
func TestDebugHoldsNoSecret(t *testing.T) {
	s := newSite(t)
	s.config("release", twoServers)
	text, err := os.ReadFile(filepath.Join(s.dir, "director.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("director.hcl", strings.Replace(string(text), "virtual_server", `
consul {
  address = "127.0.0.1:1"
  token   = "hunter2-token"
}
notify "webhook" "w" {
  url    = "https://hooks.example.com/hunter2-url"
  secret = "hunter2-header"
  events = ["pool"]
}
notify "exec" "e" {
  command = ["/bin/true", "hunter2-argument"]
  events  = ["pool"]
}
virtual_server`, 1))
	s.start()
	d, err := s.client().Debug(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text := string(d.Config); strings.Contains(text, "hunter2") || !strings.Contains(text, "hooks.example.com") || !strings.Contains(text, "10.0.0.2:80") {
		t.Errorf("configuration: %s", text)
	}
	if !strings.Contains(d.Goroutines, "agent.(*agent).loop") || strings.Contains(d.Goroutines, "hunter2") {
		t.Errorf("goroutines: %.300s", d.Goroutines)
	}
}
