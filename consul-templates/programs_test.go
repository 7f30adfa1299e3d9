//go:build consul

package consultemplates

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/test/binaries"
)

// golden compares text with testdata/name.golden.
func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got, -update writes it):\n%s", file, diff)
	}
}

func validate(t *testing.T, file string) {
	t.Helper()
	program, err := binaries.Edgekeeper(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), program, "validate", file).CombinedOutput(); err != nil {
		t.Errorf("edgekeeper validate: %v\n%s", err, out)
	}
}

// accept runs a program that judges a file; where there is no such program the
// test fails. Its word is its exit code: keepalived warns of much that it takes.
func accept(t *testing.T, program string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path = "/usr/sbin/" + program // not in the path of ordinary users
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s (its Debian package is %s): %v\n%s", program, strings.Join(args, " "), program, err, out)
	} else if len(out) > 0 {
		t.Logf("%s: %s", program, out)
	}
}

// multicastInterface is one that VRRP can use: keepalived refuses others even
// when it only tests a file.
func multicastInterface(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagMulticast != 0 && i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			return i.Name
		}
	}
	t.Fatal("this host has no interface with multicast, which keepalived -t needs")
	return ""
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// changed gives the lines that differ, before and after.
func changed(t *testing.T, before, after string) [][2]string {
	t.Helper()
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	if len(a) != len(b) {
		t.Fatalf("%d lines became %d", len(a), len(b))
	}
	var out [][2]string
	for i := range a {
		if a[i] != b[i] {
			out = append(out, [2]string{a[i], b[i]})
		}
	}
	return out
}
