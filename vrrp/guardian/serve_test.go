package guardian

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a Kernel that writes down what is done.
type fake struct {
	did       []string
	alive     bool  // the director, although its socket has ended
	begin     error // of Begin
	stuck     int   // failures of Release
	busy      time.Duration
	unhealthy error // of Prepare, with a result
}

func (f *fake) note(format string, args ...any) {
	f.did = append(f.did, fmt.Sprintf(format, args...))
}

func (f *fake) Begin(lock string, parent int) error { return f.begin }

func (f *fake) Ended(limit time.Duration) bool { return !f.alive }

func (f *fake) Prepare(a Arm) (Prepared, error) {
	time.Sleep(f.busy)
	return &fakeRouter{f: f, name: a.Instance}, f.unhealthy
}

type fakeRouter struct {
	f       *fake
	name    string
	renewed string
}

func (r *fakeRouter) Release() error {
	if r.f.stuck > 0 {
		r.f.stuck--
		r.f.note("stuck %s", r.name)
		return errors.New("stuck")
	}
	r.f.note("release %s", r.name)
	return nil
}
func (r *fakeRouter) Resign() error { r.f.note("resign %s%s", r.name, r.renewed); return nil }
func (r *fakeRouter) Renew(p []Packet) {
	r.renewed = fmt.Sprintf(" with %x to %s", p[0].Data, p[0].To)
}
func (r *fakeRouter) Close() {}

// wire is a Conn in memory.
type wire struct {
	mu      sync.Mutex
	in, out []byte
	ended   bool
	news    chan struct{} // for Wait
	answer  chan struct{} // for the director
}

func tap(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (w *wire) ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.in) > 0 || w.ended
}

func (w *wire) Wait(limit time.Duration) (bool, error) {
	if limit < 0 {
		limit = 1000 * time.Hour
	}
	if limit == 0 || w.ready() {
		return w.ready(), nil
	}
	select {
	case <-w.news:
	case <-time.After(limit):
	}
	return w.ready(), nil
}

func (w *wire) Read(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.in) == 0 {
		return 0, syscall.ECONNRESET
	}
	n := copy(b, w.in)
	w.in = w.in[n:]
	return n, nil
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = append(w.out, b...)
	tap(w.answer)
	return len(b), nil
}

// director is the other end of a guardian under test.
type director struct {
	t      *testing.T
	wire   *wire
	in     decoder
	report string
	err    error
	done   chan struct{}
}

func start(t *testing.T, f *fake) *director {
	d := &director{t: t, wire: &wire{news: make(chan struct{}, 1), answer: make(chan struct{}, 1)}, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		d.report, d.err = Serve(d.wire, f)
	}()
	return d
}

// ask sends a request and returns the error in the answer.
func (d *director) ask(m message) string {
	d.t.Helper()
	d.send(m)
	for {
		if m, ok, err := d.in.next(); err != nil {
			d.t.Fatal(err)
		} else if ok {
			return m.Reply.Error
		}
		select {
		case <-d.wire.answer:
		case <-time.After(time.Minute):
			d.t.Fatal("no answer")
		}
		d.wire.mu.Lock()
		d.in.feed(d.wire.out)
		d.wire.out = nil
		d.wire.mu.Unlock()
	}
}

func (d *director) send(m message) {
	d.t.Helper()
	b, err := appendFrame(nil, m)
	if err != nil {
		d.t.Fatal(err)
	}
	d.write(b)
}

func (d *director) write(b []byte) {
	d.wire.mu.Lock()
	d.wire.in = append(d.wire.in, b...)
	d.wire.mu.Unlock()
	tap(d.wire.news)
}

// dies ends the socket, as the kernel does, and returns when the guardian has ended.
func (d *director) dies() {
	d.wire.mu.Lock()
	d.wire.ended = true
	d.wire.mu.Unlock()
	tap(d.wire.news)
	<-d.done
}

func (d *director) hello() {
	d.t.Helper()
	if e := d.ask(message{Hello: &hello{}}); e != "" {
		d.t.Fatal(e)
	}
}

func (d *director) arm(name string) {
	d.t.Helper()
	a := theArm()
	a.Instance = name
	if e := d.ask(message{Arm: a}); e != "" {
		d.t.Fatal(e)
	}
}

func (d *director) renew(name string, data byte) {
	d.t.Helper()
	if e := d.ask(message{Renew: &renew{name, []Packet{{netip.MustParseAddr("224.0.0.18"), []byte{data}}}}}); e != "" {
		d.t.Fatal(e)
	}
}

func TestServe(t *testing.T) {
	name := "VI_1"
	released := []string{"release VI_1", "resign VI_1"}
	cases := []struct {
		name string
		fake fake
		do   func(*director)
		want []string
		err  error
	}{
		{"dies before hello", fake{}, func(*director) {}, nil, nil},
		{"dies unarmed", fake{}, (*director).hello, nil, nil},
		{"dies armed", fake{}, func(d *director) { d.hello(); d.arm(name) }, released, nil},
		{"dies armed twice for one", fake{}, func(d *director) { d.hello(); d.arm(name); d.arm(name) }, released, nil},
		{
			"dies armed for two", fake{}, func(d *director) { d.hello(); d.arm("b"); d.arm("a") },
			[]string{"release a", "resign a", "release b", "resign b"}, nil,
		},
		{"dies after disarm", fake{}, func(d *director) { d.hello(); d.arm(name); d.ask(message{Disarm: &name}) }, nil, nil},
		{"dies after disarm of another", fake{}, func(d *director) {
			d.hello()
			d.arm(name)
			other := "VI_2"
			d.ask(message{Disarm: &other})
		}, released, nil},
		{"dies renewed", fake{}, func(d *director) {
			d.hello()
			d.arm(name)
			d.renew(name, 1)
			d.renew(name, 2)
		}, []string{"release VI_1", "resign VI_1 with 02 to 224.0.0.18"}, nil},
		{"dies after a renewal of nothing", fake{}, func(d *director) {
			d.hello()
			d.arm(name)
			if e := d.ask(message{Renew: &renew{"VI_2", theArm().Packets}}); e == "" {
				d.t.Error("renewed what is not armed")
			}
		}, released, nil},
		{"bye", fake{}, func(d *director) { d.hello(); d.arm(name); d.send(message{Bye: true}) }, nil, nil},
		{"dies long after", fake{}, func(d *director) { d.hello(); d.arm(name); time.Sleep(time.Hour) }, released, nil},
		{"dies in the middle of a frame", fake{}, func(d *director) { d.hello(); d.arm(name); d.write([]byte{0, 0, 0, 9, '{'}) }, released, nil},
		{"socket ends, director lives", fake{alive: true}, func(d *director) { d.hello(); d.arm(name) }, nil, ErrAlive},
		{"malformed", fake{}, func(d *director) { d.hello(); d.arm(name); d.write([]byte{0, 0, 0, 1, '{'}) }, nil, errFrame},
		{"no hello", fake{}, func(d *director) { d.ask(message{Ping: true}) }, nil, errFrame},
		{"a reply", fake{}, func(d *director) { d.hello(); d.arm(name); d.ask(message{Reply: &reply{}}) }, nil, errFrame},
		{
			"release works the third time", fake{stuck: 2}, func(d *director) { d.hello(); d.arm(name) },
			[]string{"stuck VI_1", "stuck VI_1", "release VI_1", "resign VI_1"}, nil,
		},
		// Who cannot take the addresses off must not call another master.
		{
			"release fails", fake{stuck: 3}, func(d *director) { d.hello(); d.arm(name) },
			[]string{"stuck VI_1", "stuck VI_1", "stuck VI_1"}, errAny,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &c.fake
				d := start(t, f)
				c.do(d)
				d.dies()
				if !slices.Equal(f.did, c.want) {
					t.Errorf("did %q, want %q", f.did, c.want)
				}
				if !errors.Is(d.err, c.err) && (!errors.Is(c.err, errAny) || d.err == nil) {
					t.Errorf("error %v, want %v", d.err, c.err)
				}
				if (len(f.did) > 0) != (d.report != "") {
					t.Errorf("did %q, reports %q", f.did, d.report)
				}
			})
		})
	}
}

var errAny = errors.New("any error")

// TestFrozen: an open socket means nothing to do, for however long the director
// is silent.
func TestFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		d := start(t, f)
		d.hello()
		d.arm("VI_1")
		time.Sleep(100 * time.Hour)
		synctest.Wait()
		if len(f.did) > 0 {
			t.Errorf("did %q for a director that is frozen", f.did)
		}
		d.send(message{Bye: true})
		<-d.done
	})
}

// TestLate: a guardian that was held up does not know when the director died,
// nor who is master now.
func TestLate(t *testing.T) {
	for _, c := range []struct {
		held time.Duration
		want string
	}{{time.Second, "release VI_1, resign VI_1"}, {3 * time.Second, "release VI_1"}} {
		t.Run(c.held.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				d := start(t, f)
				d.hello()
				d.arm("VI_1") // within 2 s
				f.busy = c.held
				name := "VI_2"
				other := theArm()
				other.Instance = name
				d.send(message{Arm: other})
				d.send(message{Disarm: &name})
				d.dies() // while the guardian is held up
				if got := strings.Join(f.did, ", "); got != c.want {
					t.Errorf("did %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestErrorsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t, &fake{unhealthy: errors.New("no socket")})
		d.hello()
		if e := d.ask(message{Arm: theArm()}); e != "no socket" {
			t.Errorf("answer %q", e)
		}
		d.dies()
		if d.report == "" {
			t.Error("does not even take the addresses off")
		}

		refused := errors.New("locked")
		d = start(t, &fake{begin: refused})
		if e := d.ask(message{Hello: &hello{}}); e != "locked" {
			t.Errorf("answer %q", e)
		}
		<-d.done
		if !errors.Is(d.err, refused) {
			t.Errorf("goes on: %v", d.err)
		}
	})
}
