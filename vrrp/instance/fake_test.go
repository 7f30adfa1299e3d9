package instance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// lan carries packets between fake conns at once.
type lan struct {
	mu    sync.Mutex
	conns []*conn
}

// conn is a Conn on a lan.
type conn struct {
	lan    *lan
	log    *journal
	source netip.Addr
	in     chan []byte
	closed chan struct{}
	fail   knob[error] // of Send
}

func (l *lan) dial(source string, log *journal) *conn {
	c := &conn{lan: l, log: log, source: netip.MustParseAddr(source), in: make(chan []byte, 100), closed: make(chan struct{})}
	l.mu.Lock()
	l.conns = append(l.conns, c)
	l.mu.Unlock()
	return c
}

func (c *conn) Source() netip.Addr     { return c.source }
func (c *conn) Tune(vrrp.Config) error { return nil }

func (c *conn) Send(packet []byte, _ netip.Addr) error {
	if err := c.fail.get(); err != nil {
		return err
	}
	c.log.add("send %d", packet[22])
	c.lan.mu.Lock()
	defer c.lan.mu.Unlock()
	for _, other := range c.lan.conns {
		if other != c {
			other.in <- slices.Clone(packet)
		}
	}
	return nil
}

func (c *conn) Receive(buf []byte) (vrrp.Packet, error) {
	select {
	case b := <-c.in:
		return vrrp.ParseIPv4(buf[:copy(buf, b)])
	case <-c.closed:
		return vrrp.Packet{}, fmt.Errorf("receive: %w", net.ErrClosed)
	}
}

func (c *conn) Close() error {
	close(c.closed)
	c.lan.mu.Lock()
	defer c.lan.mu.Unlock()
	c.lan.conns = slices.DeleteFunc(c.lan.conns, func(o *conn) bool { return o == c })
	return nil
}

// host is a strict Host: it refuses to renew or announce what is not installed,
// and its kernel ends leases.
type host struct {
	t     *testing.T
	log   *journal
	mu    sync.Mutex
	on    bool
	until time.Time           // of the lease
	block knob[time.Duration] // the next call takes this long
	fail  knob[error]         // of Install and Renew
	// partial is what they return when they succeed.
	partial knob[error]
	report  knob[func(Change)]
}

func (h *host) pause() {
	d := h.block.get()
	h.block.set(0)
	time.Sleep(d)
}

func (h *host) Install(lease time.Duration) error {
	h.pause()
	if err := h.fail.get(); err != nil {
		h.log.add("install: %v", err)
		return err
	}
	h.set(true, lease)
	h.log.add("install %s", lease)
	return h.partial.get()
}

func (h *host) Renew(lease time.Duration) error {
	h.pause()
	if err := h.fail.get(); err != nil {
		return err
	}
	h.set(true, lease)
	h.log.add("renew")
	return h.partial.get()
}

func (h *host) set(on bool, lease time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.on, h.until = on, time.Time{}
	if lease > 0 {
		h.until = time.Now().Add(lease)
	}
}

func (h *host) Remove() error {
	h.log.add("remove")
	h.set(false, 0)
	return nil
}

func (h *host) Announce() error {
	if !h.has() {
		h.t.Error("announced an address that is not there")
	}
	h.log.add("announce")
	return nil
}

func (h *host) has() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.on && (h.until.IsZero() || time.Now().Before(h.until))
}

func (h *host) Watch(ctx context.Context, report func(Change)) error {
	h.report.set(report)
	report(Change{Kind: LinkUp, What: "eth0 is up"})
	<-ctx.Done()
	return nil
}

// knob is a value that a test sets while others read it.
type knob[T any] struct {
	mu sync.Mutex
	v  T
}

func (k *knob[T]) get() T {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.v
}

func (k *knob[T]) set(v T) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.v = v
}

// journal is what happened, with the time since the start of the bubble.
type journal struct {
	mu    sync.Mutex
	start time.Time
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf("%.3f ", time.Since(j.start).Seconds())+fmt.Sprintf(format, args...))
}

// take returns the lines so far and forgets them.
func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := strings.Join(j.lines, "\n")
	j.lines = nil
	return s
}

// node is one Runner with fakes around it.
type node struct {
	*Runner
	log  *journal
	host *host
	conn knob[*conn]
	stop func()
	done chan struct{}
}

// start runs a node on the lan until the end of the test or stop.
func start(t *testing.T, l *lan, source string, change func(*Config)) *node {
	t.Helper()
	log := &journal{start: time.Now()}
	n := &node{log: log, host: &host{t: t, log: log}, done: make(chan struct{})}
	cfg := Config{
		VRRP: vrrp.Config{
			Name: "VI_1", VRID: 51,
			Addresses: []vrrp.Address{{Prefix: netip.MustParsePrefix("192.0.2.100/24")}},
			Announce:  vrrp.AnnounceConfig{Repeat: 2, Delay: -1},
		},
		Dial: func() (Conn, error) {
			c := l.dial(source, log)
			n.conn.set(c)
			return c, nil
		},
		Host:   n.host,
		OnRole: func(r Role) { log.add("role %s", r.State) },
	}
	if change != nil {
		change(&cfg)
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Runner = r
	ctx, cancel := context.WithCancel(t.Context())
	n.stop = func() { cancel(); <-n.done }
	go func() {
		defer close(n.done)
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-n.done })
	synctest.Wait()
	return n
}

var errFake = errors.New("fake error")
