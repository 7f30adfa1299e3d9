//go:build consul

package jobs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// TestNomadIdentity: with nomad_identity the director's configuration names a file
// with a token of Nomad's, and a policy for the job lets it ask what Nomad stops.
func TestNomadIdentity(t *testing.T) {
	conf := server(nil)
	conf["acl"] = map[string]any{"enabled": true}
	cfg := start(t, "lvs1", conf)
	cfg.SecretID = bootstrap(t, cfg)
	ready(t, cfg, 1)

	dir := t.TempDir()
	found := filepath.Join(dir, "token")
	job := directorJob(t, cfg, dir, []string{"nomad_identity=true"}, found)
	own := *cfg
	own.SecretID = strings.TrimSpace(string(await(t, found)))
	director, err := api.NewClient(&own)
	if err != nil {
		t.Fatal(err)
	}
	root, err := api.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := root.Jobs().Allocations(job, true, read(t.Context()))
	if err != nil || len(list) != 1 {
		t.Fatalf("allocations of the job: %d, %v", len(list), err)
	}
	// Nomad does not admit to what one may not read (nomad.Alloc.GetAlloc).
	if _, _, err := director.Allocations().Info(list[0].ID, read(t.Context())); err == nil || !strings.Contains(err.Error(), "Unknown allocation") {
		t.Errorf("without a policy: %v, want an unknown allocation", err)
	}
	if _, err := root.ACLPolicies().Upsert(&api.ACLPolicy{
		Name: "edgekeeper-director", Rules: `namespace "default" { capabilities = ["read-job"] }`,
		JobACL: &api.JobACL{Namespace: "default", JobID: job},
	}, nil); err != nil {
		t.Fatal(err)
	}
	if a, _, err := director.Allocations().Info(list[0].ID, read(t.Context())); err != nil || a.JobID != job {
		t.Errorf("with the policy: %v", err)
	}
}

// bootstrap makes a Nomad's first token, as soon as it can.
func bootstrap(t *testing.T, cfg *api.Config) string {
	t.Helper()
	c, err := api.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		token, _, err := c.ACLTokens().Bootstrap(nil)
		if err == nil {
			return token.SecretID
		}
		if time.Now().After(deadline) {
			t.Fatalf("make Nomad's first token: %v", err)
		}
	}
}

// directorJob runs the director's job, with a program in the director's place
// that copies the token file of its configuration to found; it returns the job's id.
func directorJob(t *testing.T, cfg *api.Config, dir string, vars []string, found string) string {
	t.Helper()
	script := "#!/bin/sh\ncase $1 in director) ;; *) exit 0 ;; esac\n" +
		"cp \"$(sed -n 's/.*token_file = \"\\(.*\\)\"/\\1/p' \"$3\")\" " + found + ".new && mv " + found + ".new " + found + "\nexec sleep 3600\n"
	program := filepath.Join(dir, "director")
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	client, err := New(cfg, func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	file, err := Open("director")
	if err != nil {
		t.Fatal(err)
	}
	job, err := client.Parse(t.Context(), file, Values{Flags: append([]string{"vip=192.0.2.1/24", "binary=" + program}, vars...)})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Run(t.Context(), job, true); err != nil {
		t.Fatal(err)
	}
	return job.ID()
}

// await returns what a file holds once it is there.
func await(t *testing.T, path string) []byte {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err == nil {
			return b
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", path)
		}
	}
}
