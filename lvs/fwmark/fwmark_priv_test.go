//go:build linux && priv

package fwmark_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/fwmark"
	"github.com/edgekeeper/edgekeeper/test/netns"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { netns.Main(m, nil) }

const limit = 10 * time.Second

func marking(t *testing.T, mark uint32, p lvs.Protocol, span string) lvs.Marking {
	t.Helper()
	s, err := lvs.ParseSpan(span)
	if err != nil {
		t.Fatal(err)
	}
	return lvs.Marking{Mark: mark, Protocol: p, Span: s}
}

// ensure calls Ensure within a host, and wants no error.
func ensure(t *testing.T, h *netns.Host, r *fwmark.Rules, want ...lvs.Marking) (wrote bool, drift string) {
	t.Helper()
	h.Do(t, func() (err error) {
		wrote, drift, err = r.Ensure(t.Context(), want)
		return err
	})
	return wrote, drift
}

func run(t *testing.T, h *netns.Host, args ...string) string {
	t.Helper()
	var out []byte
	h.Do(t, func() (err error) {
		out, err = exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%v: %w: %s", args, err, out)
		}
		return err
	})
	return string(out)
}

// send makes one packet: a SYN, or a datagram.
func send(t *testing.T, from *netns.Host, p lvs.Protocol, to netip.AddrPort) {
	t.Helper()
	from.Do(t, func() error {
		domain, kind := unix.AF_INET, unix.SOCK_STREAM
		var sa unix.Sockaddr = &unix.SockaddrInet4{Port: int(to.Port()), Addr: [4]byte(to.Addr().AsSlice())}
		if to.Addr().Is6() {
			domain, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
		}
		if p == lvs.UDP {
			kind = unix.SOCK_DGRAM
		}
		fd, err := unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		if p == lvs.UDP {
			return unix.Sendto(fd, []byte("x"), 0, sa)
		}
		if err := unix.Connect(fd, sa); !errors.Is(err, unix.EINPROGRESS) && !errors.Is(err, unix.ECONNREFUSED) {
			return err
		}
		return nil
	})
}

// Packets to a group have its mark at the input hook, where IPVS takes them, and
// no others do; those of the host itself have it at the output hook.
func TestPacketsAreMarked(t *testing.T) {
	lan := netns.NewLAN(t)
	d := lan.Host(t, "director", "192.0.2.2/24", "192.0.2.10/24", "192.0.2.11/24", "192.0.2.12/24",
		"2001:db8::2/64", "2001:db8::10/64", "2001:db8::1f/64", "2001:db8::20/64")
	c := lan.Host(t, "client", "192.0.2.6/24", "2001:db8::6/64")
	ensure(t, d, fwmark.New(false),
		marking(t, 1001, lvs.TCP, "192.0.2.10-11:80"),
		marking(t, 1001, lvs.TCP, "192.0.2.12:8000-8099"),
		marking(t, 1002, lvs.UDP, "192.0.2.10-11:80"),
		marking(t, 1003, lvs.TCP, "[2001:db8::10-1f]:443"),
		marking(t, 1004, lvs.UDP, "[2001:db8::20]:0"),
		marking(t, 4294967295, lvs.TCP, "[2001:db8::20]:1-2"),
	)
	marks := []uint32{0, 1001, 1002, 1003, 1004, 4294967295}
	rules := "table inet seen {\n"
	for _, m := range marks {
		rules += fmt.Sprintf(" counter m%d { }\n", m)
	}
	for _, hook := range []string{"input", "output"} {
		rules += fmt.Sprintf(" chain %s {\n  type filter hook %[1]s priority 90\n", hook)
		for _, m := range marks {
			// Answers come from those addresses, and are not counted.
			rules += fmt.Sprintf("  meta l4proto { tcp, udp } th dport < 9000 meta mark %d counter name m%[1]d\n", m)
		}
		rules += " }\n"
	}
	file := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(file, []byte(rules+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, d, "nft", "-f", file)
	counted := regexp.MustCompile(`counter m(\d+) {\s*packets (\d+)`)
	for _, tt := range []struct {
		p    lvs.Protocol
		to   string
		want string
	}{
		{lvs.TCP, "192.0.2.10:80", "1001"}, {lvs.TCP, "192.0.2.11:80", "1001"}, {lvs.TCP, "192.0.2.12:80", "0"},
		{lvs.TCP, "192.0.2.10:81", "0"}, {lvs.TCP, "192.0.2.2:80", "0"},
		{lvs.TCP, "192.0.2.12:8000", "1001"}, {lvs.TCP, "192.0.2.12:8099", "1001"}, {lvs.TCP, "192.0.2.12:8100", "0"},
		{lvs.TCP, "192.0.2.12:7999", "0"}, {lvs.UDP, "192.0.2.12:8000", "0"},
		{lvs.UDP, "192.0.2.10:80", "1002"}, {lvs.UDP, "192.0.2.11:81", "0"},
		{lvs.TCP, "[2001:db8::10]:443", "1003"}, {lvs.TCP, "[2001:db8::1f]:443", "1003"}, {lvs.TCP, "[2001:db8::20]:443", "0"},
		{lvs.UDP, "[2001:db8::10]:443", "0"}, {lvs.UDP, "[2001:db8::20]:1", "1004"}, {lvs.UDP, "[2001:db8::20]:8999", "1004"},
		{lvs.TCP, "[2001:db8::20]:2", "4294967295"}, {lvs.TCP, "[2001:db8::20]:3", "0"},
	} {
		for _, from := range []*netns.Host{c, d} {
			run(t, d, "nft", "reset", "counters", "table", "inet", "seen")
			send(t, from, tt.p, netip.MustParseAddrPort(tt.to))
			var seen []string
			netns.Wait(t, limit, tt.to+" was counted", func() bool {
				seen = nil
				for _, m := range counted.FindAllStringSubmatch(run(t, d, "nft", "list", "counters", "table", "inet", "seen"), -1) {
					if m[2] != "0" {
						seen = append(seen, m[1])
					}
				}
				return len(seen) > 0
			})
			if got := strings.Join(seen, " "); got != tt.want {
				t.Errorf("%s to %s from %s has mark %s, want %s", tt.p, tt.to, from.Name, got, tt.want)
			}
		}
	}
}

// Whatever somebody does to the table, it is noticed and put right; what is
// right is not written again.
func TestVandal(t *testing.T) {
	h := netns.NewLAN(t).Host(t, "director", "192.0.2.2/24")
	want := []lvs.Marking{
		marking(t, 1001, lvs.TCP, "192.0.2.10-11:80"), marking(t, 1001, lvs.SCTP, "192.0.2.12:0"), marking(t, 1002, lvs.TCP, "[2001:db8::10-1f]:443-444"),
	}
	r := fwmark.New(false)
	if wrote, drift := ensure(t, h, r, want...); !wrote || drift != "" {
		t.Fatalf("first: wrote %v, drift %q", wrote, drift)
	}
	if wrote, drift := ensure(t, h, r, want...); wrote || drift != "" {
		t.Fatalf("again: wrote %v, drift %q", wrote, drift)
	}
	good := run(t, h, "nft", "list", "table", "inet", fwmark.TableName)
	t.Logf("the table:\n%s", good)
	name := fwmark.TableName
	for _, v := range []struct {
		what string
		nft  string
	}{
		{"ruleset flushed", "flush ruleset"},
		{"table removed", "delete table inet " + name},
		{"chain flushed", "flush chain inet " + name + " output"},
		{"element removed", "delete element inet " + name + " groups4 { 192.0.2.10-192.0.2.11 . tcp . 80 }"},
		{"map emptied", "flush map inet " + name + " groups6"},
		{"element added", "add element inet " + name + " groups4 { 192.0.2.77 . tcp . 80 : 7 }"},
		{"rule added", "insert rule inet " + name + " prerouting ip daddr 192.0.2.10 meta mark set 5"},
		{"chain dropping all", "add chain inet " + name + " prerouting { policy drop; }"},
	} {
		file := filepath.Join(t.TempDir(), "vandal")
		if err := os.WriteFile(file, []byte(v.nft+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, h, "nft", "-f", file)
		if wrote, drift := ensure(t, h, r, want...); !wrote || drift == "" {
			t.Errorf("%s: wrote %v, drift %q", v.what, wrote, drift)
		} else {
			t.Logf("%s: %s", v.what, drift)
		}
		if now := run(t, h, "nft", "list", "table", "inet", name); now != good {
			t.Errorf("%s: the table is\n%s", v.what, now)
		}
	}
	t.Run("another wish is no drift", func(t *testing.T) {
		if wrote, drift := ensure(t, h, r, want[:1]...); !wrote || drift != "" {
			t.Errorf("wrote %v, drift %q", wrote, drift)
		}
	})
	t.Run("a new process adopts", func(t *testing.T) {
		if wrote, drift := ensure(t, h, fwmark.New(true), want[:1]...); wrote || drift != "" {
			t.Errorf("wrote %v, drift %q", wrote, drift)
		}
	})
	t.Run("removed when nothing is wanted", func(t *testing.T) {
		if wrote, _ := ensure(t, h, r); !wrote {
			t.Error("not written")
		}
		if out := run(t, h, "nft", "list", "ruleset"); out != "" {
			t.Errorf("left:\n%s", out)
		}
		h.Do(t, fwmark.Remove) // gone already
	})
}

// Many groups fit, and markings that contradict each other are refused before
// anything is changed.
func TestManyAndContradicting(t *testing.T) {
	h := netns.NewLAN(t).Host(t, "director", "192.0.2.2/24")
	var want []lvs.Marking
	for i := range 5000 {
		m := marking(t, uint32(i+1), lvs.TCP, fmt.Sprintf("10.%d.%d.1-200:80-90", i/250, i%250))
		want = append(want, m)
	}
	r := fwmark.New(false)
	began := time.Now()
	if wrote, _ := ensure(t, h, r, want...); !wrote {
		t.Error("not written")
	}
	wrote := time.Since(began)
	if wrote, drift := ensure(t, h, r, want...); wrote || drift != "" {
		t.Errorf("again: wrote %v, drift %q", wrote, drift)
	}
	t.Logf("5000 groups written in %s, read in %s", wrote, time.Since(began)-wrote)
	h.Do(t, func() error {
		if _, _, err := r.Ensure(t.Context(), append(want, marking(t, 9, lvs.TCP, "10.0.0.7:85"))); err == nil {
			t.Error("an overlap was taken")
		}
		return nil
	})
	if wrote, drift := ensure(t, h, r, want...); wrote || drift != "" {
		t.Errorf("after the refusal: wrote %v, drift %q", wrote, drift)
	}
}
