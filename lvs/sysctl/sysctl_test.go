package sysctl_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgekeeper/edgekeeper/lvs/sysctl"
	"github.com/google/go-cmp/cmp"
)

// host is a /proc/sys made of files, and a state file.
type host struct {
	t   *testing.T
	cfg sysctl.Config
}

func newHost(t *testing.T) host {
	h := host{t, sysctl.Config{Root: t.TempDir(), State: filepath.Join(t.TempDir(), "run", "sysctl.json")}}
	h.put("net/ipv4/vs/expire_nodest_conn", "0\n")
	h.put("net/ipv4/conf/all/send_redirects", "1\n")
	h.put("net/ipv4/conf/eth0.100/send_redirects", "1\n")
	h.put("net/ipv4/tcp_rmem", "4096\t131072\t6291456\n")
	return h
}

func (h host) put(name, value string) {
	h.t.Helper()
	path := filepath.Join(h.cfg.Root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(value), 0o644)); err != nil {
		h.t.Fatal(err)
	}
}

func (h host) want(name, value string) {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join(h.cfg.Root, name))
	if err != nil || string(b) != value {
		h.t.Errorf("%s is %q, %v, want %q", name, b, err, value)
	}
}

func (h host) wantState(there bool) {
	h.t.Helper()
	if _, err := os.Stat(h.cfg.State); errors.Is(err, fs.ErrNotExist) == there {
		h.t.Errorf("state file: %v, want it there: %t", err, there)
	}
}

func (h host) open() *sysctl.Sysctl {
	h.t.Helper()
	s, err := sysctl.Open(h.cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func set(t *testing.T, s *sysctl.Sysctl, name, value string) func() error {
	t.Helper()
	undo, err := s.Set(name, value)
	if err != nil {
		t.Fatal(err)
	}
	return undo
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const (
	redirects = "net/ipv4/conf/all/send_redirects"
	vlan      = "net/ipv4/conf/eth0.100/send_redirects"
)

func TestSetAndUndo(t *testing.T) {
	h := newHost(t)
	s := h.open()
	a := set(t, s, "net.ipv4.conf.all.send_redirects", "0")
	b := set(t, s, vlan, "0")
	h.want(redirects, "0\n")
	h.want(vlan, "0\n")
	h.wantState(true)
	check(t, a())
	check(t, a())
	h.want(redirects, "1\n")
	h.wantState(true)
	check(t, b())
	h.want(vlan, "1\n")
	h.wantState(false)
}

func TestTwoUsersOfOneParameter(t *testing.T) {
	h := newHost(t)
	s := h.open()
	a, b := set(t, s, redirects, "0"), set(t, s, redirects, "0")
	if _, err := s.Set(redirects, "2"); !errors.Is(err, sysctl.ErrConflict) {
		t.Errorf("error %v", err)
	}
	h.want(redirects, "0\n")
	check(t, a())
	check(t, a())
	h.want(redirects, "0\n")
	check(t, b())
	h.want(redirects, "1\n")
}

// A killed process leaves its record; its successor keeps the true original.
func TestAfterAKill(t *testing.T) {
	t.Run("set again and undone", func(t *testing.T) {
		h := newHost(t)
		set(t, h.open(), redirects, "0")
		undo := set(t, h.open(), redirects, "0")
		check(t, undo())
		h.want(redirects, "1\n")
		h.wantState(false)
	})
	t.Run("restored without setting", func(t *testing.T) {
		h := newHost(t)
		s := h.open()
		set(t, s, redirects, "0")
		set(t, s, vlan, "0")
		check(t, h.open().Restore())
		h.want(redirects, "1\n")
		h.want(vlan, "1\n")
		h.wantState(false)
	})
	t.Run("with another value", func(t *testing.T) {
		h := newHost(t)
		set(t, h.open(), redirects, "0")
		undo := set(t, h.open(), redirects, "2")
		check(t, undo())
		h.want(redirects, "1\n")
	})
	t.Run("changed by somebody in between", func(t *testing.T) {
		h := newHost(t)
		set(t, h.open(), redirects, "0")
		h.put(redirects, "7\n")
		undo := set(t, h.open(), redirects, "0")
		check(t, undo())
		h.want(redirects, "7\n")
	})
}

func TestSomebodyElseChangedIt(t *testing.T) {
	h := newHost(t)
	s := h.open()
	undo := set(t, s, redirects, "0")
	h.put(redirects, "7\n")
	if d := cmp.Diff([]sysctl.Deviation{{Name: redirects, Want: "0", Have: "7"}}, s.Verify()); d != "" {
		t.Error(d)
	}
	check(t, undo())
	h.want(redirects, "7\n")
	h.wantState(false)
	if d := s.Verify(); d != nil {
		t.Errorf("deviations %v", d)
	}
}

func TestInterfaceGone(t *testing.T) {
	h := newHost(t)
	s := h.open()
	undo := set(t, s, vlan, "0")
	check(t, os.RemoveAll(filepath.Join(h.cfg.Root, filepath.Dir(vlan))))
	if d := s.Verify(); d != nil {
		t.Errorf("deviations %v", d)
	}
	check(t, undo())
	h.wantState(false)
}

func TestSetAsItIs(t *testing.T) {
	h := newHost(t)
	s := h.open()
	undo := set(t, s, "net.ipv4.tcp_rmem", "4096 131072 6291456")
	check(t, undo())
	h.want("net/ipv4/tcp_rmem", "4096\t131072\t6291456\n")
}

func TestRefused(t *testing.T) {
	h := newHost(t)
	s := h.open()
	for _, tt := range []struct {
		name string
		want error
	}{
		{"net.ipv4.vs.no_such", fs.ErrNotExist},
		{"../../etc/passwd", sysctl.ErrBadName},
		{"/etc/passwd", sysctl.ErrBadName},
		{"", sysctl.ErrBadName},
	} {
		if _, err := s.Set(tt.name, "1"); !errors.Is(err, tt.want) {
			t.Errorf("%q: error %v, want %v", tt.name, err, tt.want)
		}
	}
	h.wantState(false)
	if v, err := s.Get("net.ipv4.tcp_rmem"); err != nil || v != "4096 131072 6291456" {
		t.Errorf("%q, %v", v, err)
	}
}

func TestBadState(t *testing.T) {
	h := newHost(t)
	check(t, os.MkdirAll(filepath.Dir(h.cfg.State), 0o755))
	for _, text := range []string{"{", `[{"name": "../../etc/passwd", "before": "1", "set": "0"}]`} {
		check(t, os.WriteFile(h.cfg.State, []byte(text), 0o600))
		if _, err := sysctl.Open(h.cfg); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

// Without the record there must be no change.
func TestRecordComesFirst(t *testing.T) {
	h := newHost(t)
	s := h.open()
	check(t, os.WriteFile(filepath.Dir(h.cfg.State), nil, 0o600)) // a file where the folder should be
	if _, err := s.Set(redirects, "0"); err == nil {
		t.Error("set without a record")
	}
	h.want(redirects, "1\n")
}
