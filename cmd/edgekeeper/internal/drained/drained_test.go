package drained

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestWait: a wait on a virtual clock, with what each look finds.
func TestWait(t *testing.T) {
	broken := errors.New("broken")
	type look struct {
		n   int
		err error
	}
	for _, c := range []struct {
		name    string
		looks   []look // one a second; the last is repeated
		left    int
		err     error
		took    time.Duration
		reports []int
	}{
		{"idle from the start", []look{{0, nil}}, 0, nil, 2 * time.Second, []int{0}},
		{"two end", []look{{2, nil}, {1, nil}, {1, nil}, {0, nil}}, 0, nil, 5 * time.Second, []int{2, 1, 0}},
		{"one more comes", []look{{0, nil}, {1, nil}, {0, nil}}, 0, nil, 4 * time.Second, []int{0, 1, 0}},
		{"they stay", []look{{3, nil}}, 3, nil, 10 * time.Second, []int{3}},
		{"a failed look starts anew", []look{{0, nil}, {0, broken}, {0, nil}}, 0, nil, 4 * time.Second, []int{0}},
		{"no look succeeds", []look{{0, broken}}, 0, broken, 10 * time.Second, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := 0
				var reports []int
				w := Wait{
					Settle: 2 * time.Second, Timeout: 10*time.Second + time.Millisecond, Every: time.Second,
					Count: func(Filter) (int, error) {
						l := c.looks[min(i, len(c.looks)-1)]
						i++
						return l.n, l.err
					},
					Report: func(left int) { reports = append(reports, left) },
				}
				began := time.Now()
				left, err := w.Run(t.Context())
				if took := time.Since(began).Truncate(time.Second); left != c.left || !errors.Is(err, c.err) || took != c.took {
					t.Errorf("got %d, %v after %s, want %d, %v after %s", left, err, took, c.left, c.err, c.took)
				}
				if !slices.Equal(reports, c.reports) {
					t.Errorf("reported %v, want %v", reports, c.reports)
				}
			})
		})
	}
}

func TestWaitStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := Wait{Settle: time.Hour, Timeout: 2 * time.Hour, Every: time.Hour, Count: func(Filter) (int, error) {
		cancel()
		return 4, nil
	}}
	if left, err := w.Run(ctx); left != 4 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %d, %v", left, err)
	}
}

// TestCount: real sockets; IPv4 clients of an IPv6 listener count as IPv4, the
// listener and closed connections do not count.
func TestCount(t *testing.T) {
	for _, c := range []struct{ listen, dial string }{
		{"127.0.0.1:0", "127.0.0.1"}, {"[::]:0", "127.0.0.1"}, {"[::1]:0", "::1"},
	} {
		l, err := net.Listen("tcp", c.listen)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).AddrPort().Port()
		f := Filter{Port: port, Address: netip.MustParseAddr(c.dial)}
		want := func(n int) {
			t.Helper()
			deadline := time.Now().Add(10 * time.Second)
			for {
				got, err := Count(f)
				if err != nil {
					t.Fatal(err)
				}
				if got == n {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s: got %d connections, want %d", f, got, n)
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
		want(0)
		client, err := net.Dial("tcp", netip.AddrPortFrom(f.Address, port).String())
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		want(1)
		if other, err := Count(Filter{Port: port, Address: netip.MustParseAddr("192.0.2.1")}); other != 0 || err != nil {
			t.Errorf("of another address: %d, %v", other, err)
		}
		if all, err := Count(Filter{Port: port}); all != 1 || err != nil {
			t.Errorf("of any address: %d, %v", all, err)
		}
		client.Close() // the client is done, the server is not: CLOSE_WAIT
		want(1)
		server.Close()
		want(0)
	}
}
