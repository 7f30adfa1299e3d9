package instance

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// keys gives a mode of one with two keys.
func keys(mode vrrp.HMACMode, active uint8) *vrrp.HMAC {
	return &vrrp.HMAC{Mode: mode, ActiveKey: active, Keys: []vrrp.Key{
		{ID: 1, Secret: vrrp.Secret(strings.Repeat("1", vrrp.MinKey))}, {ID: 2, Secret: vrrp.Secret(strings.Repeat("2", vrrp.MinKey))},
	}}
}

// armory keeps what a guard would send.
type armory struct {
	mu    sync.Mutex
	armed [][]Datagram
}

func (g *armory) Arm(_ netip.Addr, resign []Datagram, _ time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = append(g.armed, resign)
}

func (g *armory) Disarm() {}

// times is how often the guard was armed.
func (g *armory) times() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.armed)
}

// last is what it was armed with last.
func (g *armory) last() []Datagram {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.armed[len(g.armed)-1]
}

func (g *armory) take(i int) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.armed[(len(g.armed)+i)%len(g.armed)][0].Packet)
}

// TestGuardResignsSigned: a master dies between two adverts. The resignation its
// guard was armed with last is taken, and the backup follows within its skew
// time; the one of an advert before is refused.
func TestGuardResignsSigned(t *testing.T) {
	for _, tt := range []struct {
		name  string
		which int // of what the guard was armed with, from the end
		took  time.Duration
		drop  vrrp.Drop
		told  TroubleKind
	}{
		{"the last", -1, 609 * time.Millisecond, 0, 0},
		{"one of before", -2, 3109 * time.Millisecond, vrrp.DropReplay, TroubleReplay},
		{"the first of all", 0, 3109 * time.Millisecond, vrrp.DropStale, TroubleStale},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l, g := &lan{}, &armory{}
				hmac := func(c *Config) { c.VRRP.HMAC = keys(vrrp.HMACEnforce, 1) }
				a := start(t, l, "192.0.2.1", func(c *Config) { hmac(c); c.Guard = g; c.VRRP.Priority = 200 })
				b := start(t, l, "192.0.2.2", hmac)
				a.until(9)
				if s := a.Status(); s.State != vrrp.Master || s.HMAC.Signed == 0 && b.Status().HMAC.Signed == 0 {
					t.Fatalf("no signed election: %+v", s.HMAC)
				}
				last := a.conn.get()
				next := time.Now()
				for start := b.Status().Counters.Received; b.Status().Counters.Received == start; next = time.Now() {
					time.Sleep(10 * time.Millisecond)
				}
				last.fail.set(errFake) // dead from here on, its last word unsaid
				a.stop()
				time.Sleep(500 * time.Millisecond)
				b.conn.get().in <- g.take(tt.which)
				resigned := time.Now()
				for b.Status().State != vrrp.Master && time.Since(next) < 5*time.Second {
					time.Sleep(time.Millisecond)
				}
				if took := time.Since(resigned); took > tt.took+20*time.Millisecond || took < tt.took-20*time.Millisecond {
					t.Errorf("took over after %s, want %s", took, tt.took)
				}
				s := b.Status()
				if tt.drop != 0 && (s.Counters.Dropped[tt.drop] != 1 || !hasTrouble(s, tt.told)) || tt.drop == 0 && len(s.Troubles) > 0 {
					t.Errorf("dropped %v, troubles %+v", s.Counters.Dropped, s.Troubles)
				}
			})
		})
	}
}

func hasTrouble(s Status, kind TroubleKind) bool {
	return slices.ContainsFunc(s.Troubles, func(t Trouble) bool { return t.Kind == kind && t.Detail != "" })
}

// TestRollout: from nothing to enforce, and to another key, on two routers that
// run: one master all the time, and nothing dropped.
func TestRollout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, g := &lan{}, &armory{}
		a := start(t, l, "192.0.2.1", func(c *Config) { c.VRRP.Priority = 200; c.Guard = g })
		b := start(t, l, "192.0.2.2", nil)
		a.until(6)
		if s := a.Status(); s.State != vrrp.Master || s.HMAC != nil {
			t.Fatalf("%+v", s)
		}
		changes := a.Status().Counters.ToMaster + b.Status().Counters.ToMaster
		armed := g.times()
		set := func(n *node, h *vrrp.HMAC) {
			t.Helper()
			if err := n.SetHMAC(h); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2500 * time.Millisecond)
		}
		for _, h := range []*vrrp.HMAC{
			keys(vrrp.HMACReceiveOnly, 1), keys(vrrp.HMACPermissive, 1), keys(vrrp.HMACEnforce, 1), keys(vrrp.HMACEnforce, 2),
		} {
			set(b, h)
			set(a, h)
		}
		for _, n := range []*node{a, b} {
			s := n.Status()
			var dropped uint64
			for _, d := range s.Counters.Dropped {
				dropped += d
			}
			if dropped > 0 || len(s.Troubles) > 0 || s.HMAC.Mode != vrrp.HMACEnforce || s.HMAC.ActiveKey != 2 {
				t.Errorf("%s: %d dropped, troubles %+v, %+v", s.Source, dropped, s.Troubles, s.HMAC)
			}
		}
		if s := b.Status(); s.HMAC.Signed == 0 || s.HMAC.Unsigned != 0 {
			t.Errorf("the backup has heard %+v since the last step", s.HMAC)
		}
		if got := a.Status().Counters.ToMaster + b.Status().Counters.ToMaster; got != changes || a.Status().State != vrrp.Master {
			t.Errorf("%d changes of master", got-changes)
		}
		if n := g.times() - armed; n < 4 {
			t.Errorf("the guard was armed %d times", n)
		}
		// The wrong order, told with its likely cause.
		if err := a.SetHMAC(&vrrp.HMAC{}); err == nil {
			t.Error("no keys are taken for keys")
		}
		set(b, nil)
		if s := b.Status(); !hasTrouble(s, TroubleUnsigned) || s.Counters.Dropped[vrrp.DropSigned] == 0 {
			t.Errorf("troubles %+v", s.Troubles)
		}
	})
}

// TestClockSkew warns before adverts are dropped, and tells a wrong clock from a
// wrong key.
func TestClockSkew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, &lan{}, "192.0.2.2", func(c *Config) { c.VRRP.HMAC = keys(vrrp.HMACEnforce, 1) })
		b.until(0.1)
		peer, err := vrrp.NewCodec(b.cfg.VRRP)
		if err != nil {
			t.Fatal(err)
		}
		hear := func(ahead time.Duration) {
			p := peer.Encode(time.Now().Add(ahead), netip.MustParseAddr("192.0.2.1"), vrrp.Group4, 200)
			b.conn.get().in <- slices.Clone(p)
			time.Sleep(time.Second)
		}
		hear(2 * time.Second)
		if s := b.Status(); len(s.Troubles) != 0 {
			t.Errorf("2 s of 5 s: %+v", s.Troubles)
		}
		hear(4 * time.Second)
		if s := b.Status(); !hasTrouble(s, TroubleClock) || s.Counters.Received != 2 {
			t.Errorf("4 s of 5 s: %+v", s.Troubles)
		}
		hear(8 * time.Second)
		if s := b.Status(); !hasTrouble(s, TroubleStale) || s.Counters.Dropped[vrrp.DropStale] != 1 {
			t.Errorf("8 s of 5 s: %+v", s.Troubles)
		}
	})
}
