package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const samples = "internal/migrate/testdata/"

// TestImportPrintsHCLThatValidates: the HCL goes to stdout, the differences to
// stderr with file and line, and the HCL is a configuration.
func TestImportPrintsHCLThatValidates(t *testing.T) {
	in := samples + "walk-through.conf"
	code, stdout, stderr := edgekeeper(t, "import", in)
	if code != 0 || !strings.Contains(stdout, `virtual_server "192.168.200.100:443"`) {
		t.Fatalf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if !strings.Contains(stderr, in+":10:9: auth_pass has 13 bytes") {
		t.Errorf("stderr %q tells no difference with its line", stderr)
	}
	out := filepath.Join(t.TempDir(), "out.hcl")
	if err := os.WriteFile(out, []byte(stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{out, in} {
		if code, stdout, stderr := edgekeeper(t, "validate", path); code != 0 || !strings.Contains(stdout, "1 VRRP instances, 1 virtual servers") {
			t.Errorf("validate %s: code %d, %q, %q", path, code, stdout, stderr)
		}
	}
}

// TestImportOfErrors: what is not understood costs the exit code, and is told at
// its line; so is what a director would refuse. A director does refuse it.
func TestImportOfErrors(t *testing.T) {
	in := samples + "bad/unknown.conf"
	code, stdout, stderr := edgekeeper(t, "import", in)
	if code != 1 || stdout == "" {
		t.Errorf("code %d, stdout %q", code, stdout)
	}
	for _, want := range []string{in + `:2:5: error: unknown keyword "router_idd"`, in + `:23:5: error: interface: "an-interface-with-a-long-name"`} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q: %s", want, stderr)
		}
	}
	for _, args := range [][]string{{"validate", in}, {"director", "-config", in}} {
		if code, _, stderr := edgekeeper(t, args...); code != 1 || !strings.Contains(stderr, in+`:2:5: unknown keyword "router_idd"`) {
			t.Errorf("%q: code %d, %s", args, code, stderr)
		}
	}
}

// TestConditionalLines: -config-id says which host's lines count.
func TestConditionalLines(t *testing.T) {
	for id, want := range map[string]string{"lvs1": "priority          = 150", "lvs2": "priority          = 100"} {
		if code, stdout, stderr := edgekeeper(t, "import", "-config-id", id, samples+"language.conf"); code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("%s: code %d, %s, %s", id, code, stdout, stderr)
		}
	}
}

func TestImportJSON(t *testing.T) {
	code, stdout, _ := edgekeeper(t, "import", "-json", samples+"site-b.conf")
	var got struct {
		HCL      string
		Findings []struct {
			At       struct{ File string }
			Severity string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 || got.HCL == "" || len(got.Findings) == 0 || got.Findings[0].Severity != "difference" {
		t.Errorf("code %d, %v: %s", code, err, stdout)
	}
}

// TestCompletionScripts gives each script to the shell that it is for, where
// there is that shell.
func TestCompletionScripts(t *testing.T) {
	for shell, word := range map[string]string{"bash": "complete ", "zsh": "compdef", "fish": "complete "} {
		code, stdout, stderr := edgekeeper(t, "completion", shell)
		if code != 0 || !strings.Contains(stdout, word) {
			t.Errorf("%s: code %d, %q, %q", shell, code, stdout, stderr)
			continue
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			continue // its syntax is checked where it is installed
		}
		cmd := exec.CommandContext(t.Context(), path, "-n")
		cmd.Stdin = strings.NewReader(stdout)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", shell, err, out)
		}
	}
	if code, _, stderr := edgekeeper(t, "completion", "cmd.exe"); code != 1 || !strings.Contains(stderr, "bash, zsh and fish") {
		t.Errorf("code %d, %s", code, stderr)
	}
}

// TestCompletionKnowsCommands: what the scripts ask for is there.
func TestCompletionKnowsCommands(t *testing.T) {
	args := os.Args // at which urfave/cli looks
	defer func() { os.Args = args }()
	os.Args = []string{"edgekeeper", "--generate-bash-completion"}
	if _, stdout, _ := edgekeeper(t, "--generate-bash-completion"); !strings.Contains(stdout, "import") || !strings.Contains(stdout, "why") {
		t.Errorf("completion gives %q", stdout)
	}
}
