package instance

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// rival is another router that a test lets speak.
type rival struct {
	t     *testing.T
	conn  *conn
	codec *vrrp.Codec
}

func newRival(t *testing.T, l *lan, source string) *rival {
	t.Helper()
	codec, err := vrrp.NewCodec(vrrp.Config{Name: "x", VRID: 51, Addresses: address("192.0.2.100/24")})
	if err != nil {
		t.Fatal(err)
	}
	return &rival{t, l.dial(source, &journal{start: time.Now()}), codec}
}

func (r *rival) say(priority uint8) {
	r.t.Helper()
	if err := r.conn.Send(r.codec.Encode(time.Now(), r.conn.source, vrrp.Group4, priority), vrrp.Group4); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

func count(log, line string) int { return strings.Count(log, line) }

// TestSecondMaster: a master that hears another one says so once, and says when
// it is over and how long it lasted; then it announces its addresses again.
func TestSecondMaster(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*rival)
		at   float64 // when it is over
		how  string
	}{
		{"falls silent", func(*rival) {}, 10.5, "not seen for 4s"},
		{"gives up", func(r *rival) { r.say(vrrp.PriorityResign) }, 6.5, "it gave up mastership (priority 0)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var l lan
				var told []Trouble
				n := start(t, &l, "192.0.2.1", func(c *Config) { c.OnTrouble = func(x Trouble) { told = append(told, x) } })
				r := newRival(t, &l, "192.0.2.9")
				n.until(5)
				n.log.take()
				for _, at := range []float64{5.5, 6, 6.5} {
					n.until(at)
					r.say(50)
				}
				if got := count(n.log.take(), "announce"); got != 6 { // two rounds for each advert of it
					t.Errorf("%d announcements while it spoke, want 6", got)
				}
				tt.end(r)
				n.until(tt.at - 0.1)
				if tt.at > 7 && (len(told) != 1 || count(n.log.take(), "announce") != 0) {
					t.Errorf("told %+v before it was over", told)
				}
				n.until(tt.at + 0.1)
				if got := count(n.log.take(), "announce"); got < 2 {
					t.Errorf("%d announcements when it was over, want 2", got)
				}
				if len(told) != 2 || !told[0].Active() || told[0].Kind != TroubleSecondMaster || told[1].Active() ||
					told[1].Healed != tt.how || told[1].Lasted() != time.Second || told[1].Count != 3 {
					t.Errorf("told %+v", told)
				}
				s := n.Status()
				if len(s.Troubles) != 1 || s.Troubles[0].Active() || s.Counters.Troubles[TroubleSecondMaster] != 3 {
					t.Errorf("%+v, %v", s.Troubles, s.Counters.Troubles)
				}
				r.say(50)
				if s = n.Status(); len(s.Troubles) != 1 || !s.Troubles[0].Active() || s.Troubles[0].Count != 1 || len(told) != 3 {
					t.Errorf("the next one is not an episode of its own: %+v", s.Troubles)
				}
			})
		})
	}
}

// lookout is a Lookout that says what the test wants.
type lookout struct {
	report  knob[func(Sighting)]
	holding knob[bool]
}

func (k *lookout) Run(ctx context.Context, report func(Sighting)) error {
	k.report.set(report)
	<-ctx.Done()
	return nil
}

func (k *lookout) Follow(holding bool)  { k.holding.set(holding) }
func (k *lookout) Quiet() time.Duration { return 30 * time.Second }

func (k *lookout) say(s Sighting) {
	s.Address = netip.MustParseAddr("192.0.2.100")
	if s.At.IsZero() {
		s.At = time.Now()
	}
	k.report.get()(s)
	synctest.Wait()
}

func (n *node) active() (kinds []string) {
	for _, x := range n.Status().Troubles {
		if x.Active() {
			kinds = append(kinds, x.Kind.String())
		}
	}
	return kinds
}

func (n *node) wantActive(t *testing.T, when string, want ...string) {
	t.Helper()
	if got := n.active(); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s: %v, want %v", when, got, want)
	}
}

// TestConflict: another MAC that answers for our address is trouble for a
// master only, and only when it was seen since it is master.
func TestConflict(t *testing.T) {
	bubble(t, func(t *testing.T) {
		look := new(lookout)
		var l lan
		n := start(t, &l, "192.0.2.1", func(c *Config) { c.Lookout = look })
		other := Sighting{Kind: OtherHolder, Device: "eth0", MAC: "02:00:00:00:00:09", How: "answered our probe"}
		n.until(1)
		look.say(other)
		n.wantActive(t, "as backup")
		before := time.Now()
		n.until(5)
		if !look.holding.get() {
			t.Error("the lookout was not told that we are master")
		}
		stale := other
		stale.At = before
		look.say(stale)
		n.wantActive(t, "seen before we were master")
		look.say(other)
		n.wantActive(t, "seen as master a moment ago")
		n.until(5.3)
		n.wantActive(t, "seen as master", "address-conflict")
		x := n.Status().Troubles[0]
		if x.Address.String() != "192.0.2.100" || x.MAC != "02:00:00:00:00:09" || !strings.Contains(x.Detail, "02:00:00:00:00:09 answered our probe for 192.0.2.100 on eth0") ||
			!strings.Contains(x.Cause, "arp_ignore") || !strings.Contains(x.Cause, "another director still holds it") {
			t.Errorf("%+v", x)
		}
		n.log.take()
		n.until(36)
		n.wantActive(t, "30 s later")
		if count(n.log.take(), "announce") != 2 {
			t.Error("not announced again when it was over")
		}
		look.say(other)
		newRival(t, &l, "192.0.2.9").say(200)
		n.wantActive(t, "as backup again")
		n.until(37)
		if x := n.Status().Troubles[0]; x.Kind != TroubleConflict || x.Count != 1 {
			t.Errorf("what a better router does right before its advert is heard counts as a conflict: %+v", x)
		}
		if look.holding.get() {
			t.Error("the lookout was not told that we are backup")
		}
	})
}

// TestBackupHolds: both rules for split brain. Simple: a backup has the address.
// Strict: a backup has it, the master's adverts are heard, and somebody else
// answers for the address.
func TestBackupHolds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		look := new(lookout)
		var l lan
		n := start(t, &l, "192.0.2.1", func(c *Config) { c.Lookout = look; c.VRRP.Priority = 50 })
		r := newRival(t, &l, "192.0.2.9")
		other := Sighting{Kind: OtherHolder, Device: "eth0", MAC: "02:00:00:00:00:09", How: "answered our probe"}
		here := Sighting{Kind: HeldHere, Device: "eth1"}
		r.say(100)
		look.say(other)
		n.wantActive(t, "the master answers, as it should")
		look.say(here)
		n.wantActive(t, "simple rule", "backup-holds-address")
		look.say(other)
		n.wantActive(t, "strict rule", "backup-holds-address", "split-brain")
		x := n.Status().Troubles[1]
		if x.Peer != r.conn.source || !strings.Contains(x.Detail, "is on this host (eth1) although it is BACKUP, while the master 192.0.2.9 (priority 100) is heard and 02:00:00:00:00:09 answered") {
			t.Errorf("%+v", x)
		}
		look.say(Sighting{Kind: GoneHere})
		n.wantActive(t, "taken off")
		look.say(other)
		n.wantActive(t, "the master answers again")

		look.say(here)
		n.until(5) // the master is silent
		look.say(Sighting{Kind: OtherHolder, Device: "eth0", MAC: "02:00:00:00:00:09", How: "answered our probe", At: time.Now().Add(-time.Hour)})
		if s := n.Status(); s.State != vrrp.Master {
			t.Fatal(s.State)
		}
		n.wantActive(t, "as master")
	})
}

// TestStrictRuleNeedsAMaster: without adverts of a master it is not split brain.
func TestStrictRuleNeedsAMaster(t *testing.T) {
	bubble(t, func(t *testing.T) {
		look := new(lookout)
		n := start(t, &lan{}, "192.0.2.1", func(c *Config) { c.Lookout = look })
		look.say(Sighting{Kind: HeldHere, Device: "eth0"})
		look.say(Sighting{Kind: OtherHolder, Device: "eth0", MAC: "02:00:00:00:00:09", How: "answered our probe"})
		n.wantActive(t, "no master heard", "backup-holds-address")
	})
}

// TestOtherAuthentication: adverts that only the lookout hears count as dropped.
func TestOtherAuthentication(t *testing.T) {
	bubble(t, func(t *testing.T) {
		look := new(lookout)
		n := start(t, &lan{}, "192.0.2.1", func(c *Config) { c.Lookout = look })
		look.say(Sighting{Kind: OtherAuth, Source: netip.MustParseAddr("192.0.2.9"), Auth: "ah"})
		s := n.Status()
		if len(s.Troubles) != 1 || s.Troubles[0].Kind != TroubleAuthType || s.Troubles[0].Detail != "authentication type ah, ours is none" || s.Counters.Dropped[vrrp.DropAuthType] != 1 {
			t.Errorf("%+v", s.Troubles)
		}
	})
}
