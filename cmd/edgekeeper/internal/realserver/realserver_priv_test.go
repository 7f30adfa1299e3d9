//go:build priv

package realserver_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/realserver"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

func TestMain(m *testing.M) {
	netns.Main(m, map[string]func() error{"realserver": runAgent, "cleanup": runCleanup})
}

// runAgent is the agent as a process: state folder, then virtual addresses.
func runAgent() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg := realserver.Config{
		StateDir: os.Args[1], Interface: "lo", ManageSysctls: true, Check: 50 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	for _, v := range os.Args[2:] {
		cfg.VIPs = append(cfg.VIPs, netip.MustParseAddr(v))
	}
	return realserver.Run(ctx, cfg)
}

func runCleanup() error { return realserver.Cleanup(os.Args[1], slog.New(slog.DiscardHandler)) }

// sysctls are the ARP settings on all, default and lo.
func sysctls(t *testing.T, h *netns.Host) string {
	t.Helper()
	var out []string
	h.Do(t, func() error {
		for _, device := range []string{"all", "default", "lo"} {
			for _, name := range []string{"arp_ignore", "arp_announce"} {
				b, err := os.ReadFile(filepath.Join("/proc/thread-self/root/proc/sys/net/ipv4/conf", device, name))
				if err != nil {
					return err
				}
				out = append(out, strings.TrimSpace(string(b)))
			}
		}
		return nil
	})
	return strings.Join(out, " ")
}

// state is what the kernel says: addresses of lo, host routes, sysctls.
func state(t *testing.T, h *netns.Host) string {
	t.Helper()
	addresses := h.Run(t, netns.Tool("ip", "-br", "addr", "show", "dev", "lo"))
	routes := h.Run(t, netns.Tool("ip", "route", "show", "dev", "lo")) + h.Run(t, netns.Tool("ip", "-6", "route", "show", "dev", "lo", "proto", "static"))
	return fmt.Sprintf("%s| %s| %s", strings.Join(strings.Fields(addresses)[2:], " "), strings.Join(strings.Fields(routes), " "), sysctls(t, h))
}

// armed is what sysctls gives when direct routing is prepared.
const armed = "1 2 1 2 1 2"

func host(t *testing.T) *netns.Host {
	h := netns.NewLAN(t).Host(t, "web", "192.0.2.4/24")
	h.Run(t, netns.Tool("ip", "link", "set", "lo", "up"))
	return h
}

func ready(t *testing.T, h *netns.Host, args ...string) *netns.Process {
	t.Helper()
	p := h.Start(t, netns.Role("realserver", args...))
	p.WaitOutput(t, "ready as a real server", 5*time.Second)
	return p
}

func TestSetUpAndUndo(t *testing.T) {
	h, dir := host(t), t.TempDir()
	before := state(t, h)
	p := ready(t, h, dir, "192.0.2.100", "2001:db8::100")
	got := state(t, h)
	for _, want := range []string{"192.0.2.100/32", "2001:db8::100/128", "192.0.2.100 scope link", armed} {
		if !strings.Contains(got, want) {
			t.Errorf("state lacks %q: %s", want, got)
		}
	}
	if err := p.Stop(t, 3*time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
	if got := state(t, h); got != before {
		t.Errorf("after the stop:\n%s\nwant as before:\n%s", got, before)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.json")); err != nil || len(left) > 0 {
		t.Errorf("left in the state folder: %v (%v)", left, err)
	}
}

func TestStartOverAKilledOne(t *testing.T) {
	h, dir := host(t), t.TempDir()
	before := state(t, h)
	ready(t, h, dir, "192.0.2.100", "192.0.2.101").Kill(t)
	p := ready(t, h, dir, "192.0.2.101", "192.0.2.102") // another configuration
	got := state(t, h)
	if strings.Contains(got, "192.0.2.100") || !strings.Contains(got, "192.0.2.101/32 192.0.2.102/32") || !strings.Contains(got, armed) {
		t.Errorf("after the second start: %s", got)
	}
	if err := p.Stop(t, 3*time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
	if got := state(t, h); got != before {
		t.Errorf("after the stop:\n%s\nwant as before the killed one:\n%s", got, before)
	}
}

func TestCleanupAfterAKill(t *testing.T) {
	h, dir := host(t), t.TempDir()
	before := state(t, h)
	ready(t, h, dir, "192.0.2.100").Kill(t)
	h.Run(t, netns.Role("cleanup", dir))
	if got := state(t, h); got != before {
		t.Errorf("after cleanup:\n%s\nwant:\n%s", got, before)
	}
}

func TestRepair(t *testing.T) {
	h, dir := host(t), t.TempDir()
	p := ready(t, h, dir, "192.0.2.100")
	h.Run(t, netns.Tool("ip", "addr", "del", "192.0.2.100/32", "dev", "lo"))
	p.WaitOutput(t, "put back", 5*time.Second)
	netns.Wait(t, 5*time.Second, "address and route are back", func() bool {
		got := state(t, h)
		return strings.Contains(got, "192.0.2.100/32") && strings.Contains(got, "192.0.2.100 scope link")
	})
}

// TestNeighboursGetNoAnswer is what it is all for: the web node owns the
// address, and nobody on the LAN can find that out by ARP.
func TestNeighboursGetNoAnswer(t *testing.T) {
	lan := netns.NewLAN(t)
	web, client := lan.Host(t, "web", "192.0.2.4/24"), lan.Host(t, "client", "192.0.2.6/24")
	web.Run(t, netns.Tool("ip", "link", "set", "lo", "up"))
	ready(t, web, t.TempDir(), "192.0.2.100")
	if err := resolve(client, t, "192.0.2.4"); err != nil {
		t.Fatalf("the web node itself: %v", err)
	}
	if err := resolve(client, t, "192.0.2.100"); err == nil {
		t.Error("the web node answers ARP for the virtual address")
	}
}

var errUnresolved = errors.New("no ARP answer")

// resolve makes the client's kernel ask for an address, and waits for the outcome.
func resolve(h *netns.Host, t *testing.T, ip string) error {
	t.Helper()
	h.Do(t, func() error { return poke(ip) })
	var entry string
	netns.Wait(t, 10*time.Second, "outcome of ARP for "+ip, func() bool {
		entry = h.Run(t, netns.Tool("ip", "neigh", "show", ip))
		return strings.Contains(entry, "lladdr") || strings.Contains(entry, "FAILED")
	})
	if strings.Contains(entry, "lladdr") {
		return nil
	}
	return errUnresolved
}

// poke sends one UDP packet, which the kernel must resolve a neighbour for.
func poke(ip string) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.Sendto(fd, []byte("x"), 0, &syscall.SockaddrInet4{Port: 9, Addr: netip.MustParseAddr(ip).As4()})
}
