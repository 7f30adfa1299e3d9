package check

import (
	"context"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// fullPort gives a port whose queue of connections is full, so that the kernel
// does not answer another one.
func fullPort(t *testing.T) netip.AddrPort {
	t.Helper()
	addr, _ := fullListener(t)
	return addr
}

// fullListener is fullPort, with the descriptor that makes room by accept.
func fullListener(t *testing.T) (netip.AddrPort, int) {
	t.Helper()
	return fullListenerAt(t, [4]byte{127, 0, 0, 1})
}

// fullListenerAt is fullListener at an address.
func fullListenerAt(t *testing.T, at [4]byte) (netip.AddrPort, int) {
	t.Helper()
	addr, fd := socketAt(t, at)
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return addr, fd
}

// first runs a scheduler until it says something of a check.
func first(t *testing.T, cfg Config, c discovery.Check) discovery.Verdict {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	said := make(chan discovery.Verdict, 1)
	s := NewScheduler(cfg)
	s.Set(map[discovery.Check]Seed{c: discovery.Pending})
	if err := s.Run(ctx, func(s *discovery.Said) {
		select {
		case said <- s.Verdict():
		default:
		}
		cancel()
	}); err != nil {
		t.Fatal(err)
	}
	select {
	case v := <-said:
		return v
	default:
		t.Fatal("nothing was said")
		return discovery.Verdict{}
	}
}

// TestConnect: checks that only connect end as they would with a probe of their
// own.
func TestConnect(t *testing.T) {
	base := discovery.CheckSpec{Type: discovery.TCP, Interval: 5 * time.Second, Timeout: 5 * time.Second, RetryDelay: 10 * time.Millisecond, Rise: 1}
	open, closed, full := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) }), closedPort(t), fullPort(t)
	for _, c := range []struct {
		name   string
		target netip.AddrPort
		change func(*discovery.CheckSpec)
		want   discovery.Health
		reason string
		stuck  string
	}{
		{name: "open", target: open, want: discovery.Up, reason: "ok"},
		{name: "closed", target: closed, want: discovery.Down, reason: "connection refused"},
		{name: "full", target: full, change: func(c *discovery.CheckSpec) { c.Timeout = 50 * time.Millisecond }, want: discovery.Down, reason: "timeout after 50ms"},
		{name: "source", target: open, change: func(c *discovery.CheckSpec) { c.Source = netip.MustParseAddr("127.0.0.9") }, want: discovery.Up, reason: "ok"},
		{name: "foreign source", target: open, change: func(c *discovery.CheckSpec) { c.Source = netip.MustParseAddr("192.0.2.77") }, stuck: "source address 192.0.2.77: cannot assign requested address"},
		{name: "source of the other family", target: open, change: func(c *discovery.CheckSpec) { c.Source = netip.MustParseAddr("2001:db8::1") }, want: discovery.Down, reason: "source address 2001:db8::1 is of another family than 127.0.0.1"},
		{name: "other port", target: closed, change: func(c *discovery.CheckSpec) { c.Port = open.Port() }, want: discovery.Up, reason: "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := base
			if c.change != nil {
				c.change(&spec)
			}
			for name, cfg := range map[string]Config{"connector": {}, "probe": {New: new(Maker).New}} {
				v := first(t, cfg, spec.For(c.target))
				if v.Health != c.want || v.Reason != c.reason || v.Blocked != c.stuck {
					t.Errorf("%s: %s %q, blocked %q; want %s %q, blocked %q", name, v.Health, v.Reason, v.Blocked, c.want, c.reason, c.stuck)
				}
			}
		})
	}
}

// TestConnectLate: a connection that comes about a second later, when the kernel
// tries again, is noticed then.
func TestConnectLate(t *testing.T) {
	full, fd := fullListener(t)
	spec := discovery.CheckSpec{Type: discovery.TCP, Interval: time.Minute, Timeout: time.Minute, Rise: 1}
	s := NewScheduler(Config{})
	s.Set(map[discovery.Check]Seed{spec.For(full): discovery.Pending})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	said := make(chan discovery.Verdict, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		if err := s.Run(ctx, func(s *discovery.Said) { said <- s.Verdict() }); err != nil {
			t.Error(err)
		}
	})
	for s.Stats().InFlight != 1 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	taken, _, err := unix.Accept(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(taken)
	select {
	case v := <-said:
		if v.Health != discovery.Up || v.Took < 100*time.Millisecond {
			t.Errorf("%s after %s", v.Health, v.Took)
		}
	case <-ctx.Done():
		t.Error("nothing was said")
	}
}

// TestConnectNumbers: the number of an attempt begins anew one day, and is never
// that of none.
func TestConnectNumbers(t *testing.T) {
	c, err := newConnector()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	c.last = math.MaxUint32 - 1
	spec := discovery.CheckSpec{Type: discovery.TCP}
	check := spec.For(fullPort(t))
	for _, want := range []uint32{math.MaxUint32, 1} {
		e := &entry{said: discovery.Say(check, discovery.Verdict{})}
		if done, err := c.begin(e, &spec); done || e.attempt != want {
			t.Errorf("attempt %d, want %d; ended %v, %v", e.attempt, want, done, err)
		}
	}
}

// TestConnectRemoved takes checks away while their connections are under way,
// and ends with some of them: no descriptor is left, and what stays goes on.
func TestConnectRemoved(t *testing.T) {
	spec := discovery.CheckSpec{Type: discovery.TCP, Interval: time.Minute, Timeout: time.Minute, Rise: 1}
	stays, full := spec.For(listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })), fullPort(t)
	slow := map[discovery.Check]Seed{}
	for i := range 50 {
		c := spec
		c.Retries = i // another definition
		slow[c.For(full)] = discovery.Up
	}
	before := descriptors(t)
	s := NewScheduler(Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	said := make(chan discovery.Check, 10)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx, func(s *discovery.Said) { said <- s.Check() }); err != nil {
			t.Error(err)
		}
	})
	inFlight := func(n int) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); s.Stats().InFlight != n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d attempts are under way, want %d", s.Stats().InFlight, n)
			}
		}
	}
	s.Set(slow)
	inFlight(50)
	s.Set(map[discovery.Check]Seed{stays: discovery.Up})
	if c := <-said; c != stays {
		t.Errorf("a verdict on %v", c.Target)
	}
	inFlight(0)
	s.Set(slow)
	inFlight(50)
	cancel()
	wg.Wait()
	if after := descriptors(t); after > before+1 { // the listener may hold the connection that stays
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestFewFiles: where this process may have few files open, there are not more
// attempts at once than those allow, and each check can be made.
func TestFewFiles(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 200
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}()
	const n = 400
	addr, _ := fullListenerAt(t, [4]byte{}) // nobody answers, so all would be under way together
	slow := spec
	slow.Timeout, slow.Retries = 500*time.Millisecond, 0
	checks := map[discovery.Check]Seed{}
	for i := range n {
		checks[slow.For(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), addr.Port()))] = discovery.Pending
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := NewScheduler(Config{})
	s.Set(checks)
	said := map[discovery.Check]bool{}
	if err := s.Run(ctx, func(s *discovery.Said) {
		c, v := s.Check(), s.Verdict()
		if v.Blocked != "" {
			t.Errorf("%s: %s", c.Target, v.Blocked)
			cancel()
		}
		if said[c] = true; len(said) == n {
			cancel()
		}
	}); err != nil {
		t.Fatal(err)
	}
	if len(said) != n {
		t.Errorf("%d of %d checks were made", len(said), n)
	}
}
