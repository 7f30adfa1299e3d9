//go:build consul

package jobs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/edgekeeper/edgekeeper/test/binaries"
)

const sleeper = `
variable "seconds" {
  type    = number
  default = 1000
}

variable "command" {
  type    = string
  default = "/bin/sleep"
}

job "sleeper" {
  type = "system"
  group "sleeper" {
    restart {
      attempts = 0
      mode     = "fail"
    }
    task "sleeper" {
      driver = "raw_exec"
      config {
        command = var.command
        args    = ["${var.seconds}"]
      }
      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
`

// All against one Nomad: it takes seconds to start.
func TestNomad(t *testing.T) {
	cfg := agent(t, nil)
	c, err := New(cfg, func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	t.Run("what is submitted is what nomad job run submits", func(t *testing.T) { sameAsNomad(t, c, cfg.Address) })
	t.Run("plan, run, status, stop", func(t *testing.T) { lifecycle(t, c) })
	t.Run("a node that fits later", func(t *testing.T) { fitting(t, c) })
	t.Run("a job that cannot run", func(t *testing.T) { failing(t, c) })
}

func sameAsNomad(t *testing.T, c *Client, address string) {
	program, err := binaries.Nomad(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	required := map[string][]string{"director.nomad.hcl": {"vip=192.0.2.1/24"}, "realserver.nomad.hcl": {"vip=192.0.2.1"}}
	for _, file := range files(t) {
		every := []string{}
		for name, value := range vars[file] {
			every = append(every, name+"="+value)
		}
		slices.Sort(every)
		for name, values := range map[string][]string{"required": required[file], "every": every} {
			args := []string{"job", "run", "-output"}
			for _, v := range values {
				args = append(args, "-var", v)
			}
			cmd := exec.CommandContext(t.Context(), program, append(args, file)...)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NOMAD_ADDR=" + address}
			want, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s, %s: %v", file, name, err)
			}
			f, err := Open(strings.TrimSuffix(file, suffix))
			if err != nil {
				t.Fatal(err)
			}
			j, err := c.Parse(t.Context(), f, Values{Flags: values})
			if err != nil {
				t.Fatalf("%s, %s: %v", file, name, err)
			}
			got, err := j.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(want)) {
				t.Errorf("%s with %s variables:\n%s\nnomad job run -output has\n%s", file, name, got, want)
			}
		}
	}
}

// cleanPlans: Nomad would run every job, on a node of the right role, and warns
// of nothing.
func cleanPlans(t *testing.T, address string) {
	program, err := binaries.Nomad(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-var=vip=192.0.2.1/24", "director.nomad.hcl"},
		{"-var=vip=192.0.2.1", "realserver.nomad.hcl"},
		{"-var=count=1", "web.nomad.hcl"},
	} {
		cmd := exec.CommandContext(t.Context(), program, append([]string{"job", "plan", "-no-color", "-var=role=director"}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NOMAD_ADDR=" + address}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 { // 1: it would create allocations
			t.Errorf("nomad job plan %v: %v\n%s", args, err, out)
		}
		if text := string(out); !strings.Contains(text, "All tasks successfully allocated.") || strings.Contains(strings.ToLower(text), "warning") {
			t.Errorf("nomad job plan %v says\n%s", args, out)
		}
	}
}

func parse(t *testing.T, c *Client, text string, values ...string) *Job {
	t.Helper()
	path := filepath.Join(t.TempDir(), "job.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	j, err := c.Parse(t.Context(), f, Values{Flags: values})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func planned(t *testing.T, c *Client, j *Job) (string, bool) {
	t.Helper()
	p, err := c.Plan(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String(), p.Changes
}

func lifecycle(t *testing.T, c *Client) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.Status(ctx, "sleeper"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("status before the first run: %v", err)
	}
	j := parse(t, c, sleeper)
	if text, changes := planned(t, c, j); !changes || !strings.Contains(text, `+   job "sleeper"`) || !strings.Contains(text, `+   group "sleeper" (1 create)`) {
		t.Errorf("plan of a new job, changes %v:\n%s", changes, text)
	}
	if err := c.Run(ctx, j, false); err != nil {
		t.Fatal(err)
	}
	s, err := c.Status(ctx, "sleeper")
	if err != nil || s.State != "running" || len(s.Allocations) != 1 || s.Allocations[0].State != "running" || s.Allocations[0].Director != nil || s.Allocations[0].Error != "" {
		t.Fatalf("status %+v, %v", s, err)
	}
	if text, changes := planned(t, c, j); changes || text != "No changes.\n" && !strings.Contains(text, "No changes.") {
		t.Errorf("plan of what runs, changes %v:\n%s", changes, text)
	}
	j = parse(t, c, sleeper, "seconds=2000")
	if text, changes := planned(t, c, j); !changes || !strings.Contains(text, `"1000" => "2000"`) || !strings.Contains(text, "1 create/destroy update") {
		t.Errorf("plan of a change, changes %v:\n%s", changes, text)
	}
	if err := c.Run(ctx, j, false); err != nil {
		t.Fatal(err)
	}
	if s, err := c.Status(ctx, "sleeper"); err != nil || s.Version != 1 || len(s.Allocations) != 1 || s.Allocations[0].Version != 1 {
		t.Errorf("status after the change %+v, %v", s, err)
	}
	if err := c.Stop(ctx, "sleeper", true, false); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(ctx, "sleeper", true, false); !errors.Is(err, ErrNotRunning) {
		t.Errorf("second stop: %v", err)
	}
}

// fitting: a job is submitted at once after the node was told what it is.
func fitting(t *testing.T, c *Client) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	nodes, _, err := c.nomad.Nodes().List(nil)
	if err != nil || len(nodes) != 1 {
		t.Fatalf("%v, %v", nodes, err)
	}
	wave := "late"
	if _, err := c.nomad.Nodes().Meta().Apply(&api.NodeMetaApplyRequest{NodeID: nodes[0].ID, Meta: map[string]*string{"wave": &wave}}, nil); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(sleeper, `type = "system"`, "type = \"system\"\n  constraint {\n    attribute = \"${meta.wave}\"\n    value     = \"late\"\n  }", 1)
	if err := c.Run(ctx, parse(t, c, text), false); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(ctx, "sleeper", true, false); err != nil {
		t.Error(err)
	}
}

func failing(t *testing.T, c *Client) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := c.Run(ctx, parse(t, c, sleeper, "command=/nonexistent"), false)
	if err == nil || !strings.Contains(err.Error(), "sleeper.sleeper[0] failed on ") || !strings.Contains(err.Error(), "/nonexistent") {
		t.Errorf("a command that does not exist: %v", err)
	}
	if err := c.Stop(ctx, "sleeper", true, false); err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeoutCause(ctx, 5*time.Second, errors.New("time is up"))
	defer cancel()
	nowhere := strings.Replace(sleeper, `type = "system"`, "type = \"service\"\n  constraint {\n    attribute = \"${meta.role}\"\n    value     = \"nobody\"\n  }", 1)
	err = c.Run(short, parse(t, c, nowhere), false)
	if err == nil || !strings.Contains(err.Error(), `group "sleeper" finds no node: 1 nodes filtered by ${meta.role} = nobody`) {
		t.Errorf("a constraint that no node meets: %v", err)
	}
	if err := c.Stop(ctx, "sleeper", true, false); err != nil {
		t.Error(err)
	}
}
