package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDebugWithoutADirector: the host's part is collected all the same, and the
// archive says what is missing.
func TestDebugWithoutADirector(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "out.tar.gz")
	code, stdout, stderr := edgekeeper(t, "debug", "-socket", filepath.Join(dir, "none.sock"), "-output", name)
	if code != 0 || stdout != name+"\n" {
		t.Fatalf("code %d, %q, %q", code, stdout, stderr)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	files := unpack(t, name)
	for _, want := range []string{"edgekeeper-debug/version.json", "edgekeeper-debug/kernel/proc/net/dev", "edgekeeper-debug/kernel/proc/version"} {
		if files[want] == "" {
			t.Errorf("no %s", want)
		}
	}
	if text := files["edgekeeper-debug/errors.txt"]; !strings.Contains(text, "status.json: ") || !strings.Contains(text, "no director answers") {
		t.Errorf("errors.txt: %q", text)
	}
}

// unpack reads an archive.
func unpack(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = string(text)
	}
}

// TestPlanExitCodes: without -detailed-exitcode changes are no error; with it the
// code is 2; what is wrong with the configuration is told with its place.
func TestPlanExitCodes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.hcl")
	text := "state_dir = \"" + dir + "/state\"\ncontrol { socket = \"" + dir + "/none.sock\" }\nvrrp \"VI_1\" {\n  interface = \"eth0\"\n  virtual_router_id = 1\n  virtual_address \"10.0.0.1/24\" {}\n}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := edgekeeper(t, "plan", "-config", path); code != 0 || !strings.Contains(stdout, "+ address 10.0.0.1/24") {
		t.Errorf("code %d, %q, %q", code, stdout, stderr)
	}
	if code, stdout, _ := edgekeeper(t, "plan", "-json", "-detailed-exitcode", "-config", path); code != 2 || !strings.HasPrefix(stdout, "{") {
		t.Errorf("code %d, %q", code, stdout)
	}
	if err := os.WriteFile(path, []byte("router = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := edgekeeper(t, "plan", "-detailed-exitcode", "-config", path); code != 1 || !strings.Contains(stderr, path+":1:1: ") {
		t.Errorf("code %d, %q", code, stderr)
	}
	if code, _, stderr := edgekeeper(t, "plan"); code != 1 || !strings.Contains(stderr, "plan needs -config PATH") {
		t.Errorf("code %d, %q", code, stderr)
	}
}
