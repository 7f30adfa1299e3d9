package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

// edgekeeper runs a command as main does.
func edgekeeper(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"edgekeeper"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func TestExitCodesAndStreams(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.hcl")
	if err := os.WriteFile(bad, []byte("router = 1\nvrrp \"VI_1\" {\n  interface = \"eth0\"\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	noDirector := filepath.Join(t.TempDir(), "none.sock")
	good := "../../docs/examples/direct-routing.hcl"
	cases := []struct {
		name   string
		args   []string
		code   int
		stdout string // prefix
		stderr string // contained
	}{
		{"version", []string{"version"}, 0, "edgekeeper dev", ""},
		{"one dash", []string{"version", "-json"}, 0, "{", ""},
		{"two dashes", []string{"version", "--json"}, 0, "{", ""},
		{"valid", []string{"validate", good}, 0, good + " is valid: ", ""},
		{"invalid", []string{"validate", bad}, 1, "", bad + ":1:1: "},
		{"every mistake", []string{"validate", bad}, 1, "", bad + ":2:6: "},
		{"no such file", []string{"validate", "/nonexistent.hcl"}, 1, "", "edgekeeper: "},
		{"validate without a path", []string{"validate"}, 1, "", "usage: edgekeeper validate [flags] PATH"},
		{"director without a config", []string{"director"}, 1, "", "director needs -config PATH"},
		{"director refuses", []string{"director", "-config", bad}, 1, "", bad + ":1:1: "},
		{"no director", []string{"status", "-socket", noDirector}, 1, "", "no director answers; is the director running on this host?"},
		{"a word too many", []string{"status", "now"}, 1, "", `status takes no argument, got "now"`},
		{"unknown flag", []string{"status", "-jsn"}, 1, "", "flag provided but not defined: -jsn"},
		{"weight that is none", []string{"weight", "-socket", noDirector, "web", "web-1", "banana"}, 1, "", `weight "banana": must be a whole number up to 65535; nothing was changed`},
		{"weight without a value", []string{"weight", "-socket", noDirector, "web", "web-1"}, 1, "", "give a value or -reset"},
		{"drain of nothing", []string{"drain"}, 1, "", "usage: edgekeeper drain [flags] VIRTUAL-SERVER SERVER | -node NODE"},
		{"realserver without an address", []string{"realserver"}, 1, "", "no virtual address: give -vip"},
		{"realserver with a mask", []string{"realserver", "-vip", "192.0.2.1/24"}, 1, "", `-vip "192.0.2.1/24": must be an address without a mask`},
		{"connections of nobody", []string{"connections", "-client", "me"}, 1, "", `-client "me": must be an address or address:port`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := edgekeeper(t, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d; stderr: %s", code, c.code, stderr)
			}
			if !strings.HasPrefix(stdout, c.stdout) || c.stdout == "" && stdout != "" {
				t.Errorf("stdout = %q, want %q…", stdout, c.stdout)
			}
			if !strings.Contains(stderr, c.stderr) || c.stderr == "" && stderr != "" {
				t.Errorf("stderr = %q, want …%q…", stderr, c.stderr)
			}
		})
	}
}

func TestValidateJSONListsEveryMistake(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.hcl")
	if err := os.WriteFile(bad, []byte("router = 1\nlog_level = \"loud\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, _ := edgekeeper(t, "validate", "-json", bad)
	var got validation
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 1 || got.Valid || len(got.Mistakes) != 2 {
		t.Errorf("code %d, %v: %s", code, err, stdout)
	}
}

// TestEveryFlagHasAVariable keeps the promise that each flag can be set by an
// EDGEKEEPER_ variable, named after the flag.
func TestEveryFlagHasAVariable(t *testing.T) {
	commands := []*cli.Command{
		directorCommand(), realserverCommand(), validateCommand(), importCommand(), planCommand(), debugCommand(), whyCommand(), completionCommand(), statusCommand(), poolsCommand(), vrrpCommand(), connectionsCommand(),
		eventsCommand(), drainCommand(), undrainCommand(), weightCommand(), priorityCommand(), handoverCommand(), cleanupCommand(), versionCommand(),
	}
	for _, c := range commands {
		for _, f := range c.Flags {
			env, ok := f.(cli.DocGenerationFlag)
			name := f.Names()[0]
			want := []string{"EDGEKEEPER_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))}
			if !ok {
				t.Errorf("%s -%s documents no variable", c.Name, name)
			} else if diff := cmp.Diff(want, env.GetEnvVars()); diff != "" {
				t.Errorf("%s -%s (-want +got):\n%s", c.Name, name, diff)
			}
		}
	}
}
