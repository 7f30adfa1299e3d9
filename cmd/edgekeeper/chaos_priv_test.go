//go:build priv

package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/test/binaries"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

var (
	chaosSeed = flag.Uint64("chaos.seed", 0, "seed of the random faults, 0 for a new one")
	killsFor  = flag.Duration("chaos.kills", 2*time.Minute, "how long TestRandomKills goes on")
	soakFor   = flag.Duration("chaos.soak", 2*time.Minute, "how long TestSoak goes on")
)

// mishap is one random fault on a machine, with its end.
type mishap struct {
	name string
	// do brings it about and ends it. It returns whether somebody else may have
	// had to take over from a master that this happened to.
	do func(*chaos, *machine) (takeover bool)
	// resigns: a master is replaced after the skew time, not the master-down time.
	resigns bool
	// split: two masters are what the protocol gives while it lasts.
	split bool
	// asks: a master that lives is asked to let go, and waited for no longer than
	// v2claim.
	asks bool
}

// chaos is a site to which random things happen.
type chaos struct {
	*theSite
	t       *testing.T
	rng     *rand.Rand
	capture *netns.Capture
	settle  time.Duration // bound of the time in which it must have settled
	vips    map[string]string
	reloads int
}

func newChaos(t *testing.T, s *theSite, settle time.Duration) *chaos {
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d: -chaos.seed %d repeats its choices", seed, seed)
	return &chaos{
		theSite: s, t: t, rng: rand.New(rand.NewPCG(seed, 0)), settle: settle,
		capture: s.lan.Capture(t, s.a.Host, s.b.Host),
		vips:    map[string]string{"VI_1": "192.0.2.100"},
	}
}

// upTo sleeps for a random time.
func (c *chaos) upTo(d time.Duration) { time.Sleep(time.Duration(c.rng.Int64N(int64(d)))) }

// holder is the machine that has the address, and the other.
func (c *chaos) holder() (holder, other *machine) {
	if h := c.ledger.Holders(); len(h) == 1 && h[0] == c.b.Name {
		return c.b, c.a
	}
	return c.a, c.b
}

// run lets mishaps happen for a time. Each is over, and has settled, before the
// next comes: the bounds are for one.
func (c *chaos) run(length time.Duration, list []mishap) {
	t := c.t
	for begin, round := time.Now(), 1; time.Since(begin) < length && !t.Failed(); round++ {
		victim, other := c.holder()
		master := victim
		if c.rng.IntN(4) == 0 {
			victim = other
		}
		c.upTo(300 * time.Millisecond)
		x := list[c.rng.IntN(len(list))]
		from := time.Now()
		takeover := x.do(c, victim)
		c.settled()
		took, late := time.Since(from), c.late.Between(from, time.Now())
		times, two, none := c.ledger.Judge(from)
		t.Logf("round %d: %s on %s (master was %s): settled after %s, nobody for %s, late by up to %s",
			round, x.name, victim.Name, master.Name, took.Round(time.Millisecond), none.Round(time.Millisecond), late.Round(time.Millisecond))
		if times > 0 && !x.split && (!x.asks || late <= v2claim || two > late) {
			t.Errorf("two held the address %d times, for %s", times, two)
		}
		bound := v2down + v2claim + promise + busy
		if x.resigns {
			bound = v2skew + promise + busy
		}
		switch {
		case x.split:
			if none > bound+time.Second+late { // they may have to settle it between them first
				t.Errorf("nobody held the address for %s; the bound is %s, and the machine was late by up to %s", none, bound+time.Second, late)
			}
		case takeover && victim == master:
			if none > bound+late {
				t.Errorf("nobody held the address for %s; the bound is %s, and the machine was late by up to %s", none, bound, late)
			}
		case none > 0 || c.resigned(master, from) > 0: // nothing has happened to the master
			t.Errorf("the master was disturbed: nobody held the address for %s, %d adverts of priority 0", none, c.resigned(master, from))
		}
	}
}

// resigned counts the adverts of priority 0 that a machine has sent.
func (c *chaos) resigned(m *machine, from time.Time) (n int) {
	const vrid, priority = 14 + 20 + 1, 14 + 20 + 2
	for _, f := range c.capture.Frames() {
		if f.Host == m.Name && f.At.After(from) && len(f.Data) > priority && f.Data[13] == 0 && f.Data[23] == 112 && f.Data[vrid] == 51 && f.Data[priority] == 0 {
			n++
		}
	}
	return n
}

// settled waits until every instance has one master, which has the address and
// is guarded, and one backup, which has not and has heard the master since: were
// that advert lost and the master stopped next, that would be two faults in one,
// and the lease could outlast the backup's patience by an interval.
func (c *chaos) settled() {
	c.t.Helper()
	begin := time.Now()
	heard := map[string]uint64{}
	for problem := c.unsettled(heard); problem != ""; problem = c.unsettled(heard) {
		if time.Since(begin) > c.settle+c.late.Between(begin, time.Now()) {
			c.t.Fatalf("not settled after %s: %s", time.Since(begin), problem)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// unsettled says what is not as it should be. heard is how many adverts each
// backup had received when it was first seen as one.
func (c *chaos) unsettled(heard map[string]uint64) string {
	masters, backups := map[string]int{}, map[string]int{}
	for _, m := range []*machine{c.a, c.b} {
		s, err := m.snapshot()
		if err != nil {
			return m.Name + ": " + err.Error()
		}
		if s.Guardian == nil || s.Guardian.PID == 0 {
			return m.Name + " has no guardian"
		}
		if len(s.VRRP) != len(c.vips) {
			return fmt.Sprintf("%s has %d instances", m.Name, len(s.VRRP))
		}
		armed := 0
		for _, r := range s.VRRP {
			has := m.Has(c.t, c.vips[r.Name])
			switch {
			case r.State == "MASTER" && has:
				masters[r.Name]++
				armed++
			case r.State == "BACKUP" && r.Received > 0 && r.MasterPriority > 0 && !has:
				key := fmt.Sprint(m.Name, s.PID, r.Name, r.Since)
				if _, known := heard[key]; !known {
					heard[key] = r.Received
				}
				if r.Received == heard[key] {
					return fmt.Sprintf("%s waits for the next advert of %s", m.Name, r.Name)
				}
				backups[r.Name]++
			default:
				return fmt.Sprintf("%s is %s of %s, has the address: %v", m.Name, r.State, r.Name, has)
			}
		}
		if len(s.Guardian.Armed) != armed {
			return fmt.Sprintf("guardian of %s is armed for %d of %d", m.Name, len(s.Guardian.Armed), armed)
		}
	}
	for name := range c.vips {
		if masters[name] != 1 || backups[name] != 1 {
			return fmt.Sprintf("%s has %d masters and %d backups", name, masters[name], backups[name])
		}
	}
	return ""
}

// Mishaps of processes.
var (
	directorKilled = mishap{name: "director killed", resigns: true, do: func(c *chaos, m *machine) bool {
		m.proc.Kill(c.t)
		c.upTo(time.Second)
		m.start()
		return true
	}}
	guardianKilled = mishap{name: "guardian killed", do: func(c *chaos, m *machine) bool {
		if pid := m.guardian(); pid != 0 {
			kill(c.t, pid, syscall.SIGKILL)
			// Until the director notices, its status shows the dead one, and the
			// next mishap would meet a director without a guardian.
			netns.Wait(c.t, c.settle, "the director has noticed", func() bool { return m.guardian() != pid })
		}
		return false
	}}
	guardianFrozen = mishap{name: "guardian frozen", do: func(c *chaos, m *machine) bool {
		pid := m.guardian()
		if pid == 0 {
			return false
		}
		kill(c.t, pid, syscall.SIGSTOP)
		netns.Wait(c.t, settling, "another guardian", func() bool { return m.guardian() != 0 && m.guardian() != pid })
		return false
	}}
	bothKilled = mishap{name: "both killed", do: func(c *chaos, m *machine) bool {
		if pid := m.guardian(); pid != 0 {
			kill(c.t, pid, syscall.SIGKILL)
			c.upTo(20 * time.Millisecond)
		}
		m.proc.Kill(c.t)
		c.upTo(time.Second)
		m.start()
		return true
	}}
	frozen = mishap{name: "director frozen", do: func(c *chaos, m *machine) bool {
		m.proc.Signal(c.t, syscall.SIGSTOP)
		c.upTo(6 * time.Second)
		m.proc.Signal(c.t, syscall.SIGCONT)
		return true
	}}
	allFrozen = mishap{name: "director and guardian frozen", do: func(c *chaos, m *machine) bool {
		pid := m.guardian()
		m.proc.Signal(c.t, syscall.SIGSTOP)
		if pid != 0 {
			kill(c.t, pid, syscall.SIGSTOP)
		}
		c.upTo(6 * time.Second)
		if pid != 0 && c.rng.IntN(2) == 0 {
			kill(c.t, pid, syscall.SIGCONT)
			c.upTo(100 * time.Millisecond)
		}
		m.proc.Signal(c.t, syscall.SIGCONT)
		if pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGCONT) // the director may have replaced it by now
		}
		return true
	}}
	restarted = mishap{name: "restart", asks: true, do: func(c *chaos, m *machine) bool {
		if err := m.proc.Stop(c.t, 5*time.Second+c.settle); err != nil {
			c.t.Errorf("%s stopped with %v", m.Name, err)
		}
		m.start()
		return true
	}}
)

// What a reload changes in the configuration.
var (
	garps  = regexp.MustCompile(`garp_repeat = \d+`)
	accept = regexp.MustCompile(`accept = \w+`)
	beside = regexp.MustCompile(`virtual_address "192\.0\.2\.100/24" {}`)
)

const another = "\n  virtual_address \"198.51.100.7/32\" {}"

// Mishaps of the network and of operators.
var (
	linkDown = mishap{name: "link down", do: func(c *chaos, m *machine) bool {
		m.Cut(c.t)
		c.upTo(5 * time.Second)
		m.Mend(c.t)
		return true
	}}
	cutOff = mishap{name: "cut off", split: true, do: func(c *chaos, m *machine) bool {
		c.lan.Isolate(c.t, m.Host, true)
		c.upTo(6 * time.Second)
		c.lan.Isolate(c.t, m.Host, false)
		return true
	}}
	// The kernel's own loss, by chance for each packet: no qdisc, and no module
	// for one, is needed.
	lossy = mishap{name: "loss", split: true, do: func(c *chaos, m *machine) bool {
		m.Run(c.t, netns.Tool("nft", fmt.Sprintf("add table netdev loss; add chain netdev loss in { type filter hook ingress device eth0 priority 0; }; "+
			"add rule netdev loss in numgen random mod 100 < %d drop", 10+c.rng.IntN(60))))
		c.upTo(6 * time.Second)
		m.Run(c.t, netns.Tool("nft", "delete table netdev loss"))
		return true
	}}
	// One more address and other announcements come to routers that go on; every
	// second time one of them has to start again. The others must not notice.
	reloaded = mishap{name: "reload", do: func(c *chaos, m *machine) bool {
		c.reloads++
		file := filepath.Join(m.dir, "director.hcl")
		b, err := os.ReadFile(file)
		if err != nil {
			c.t.Fatal(err)
		}
		text := garps.ReplaceAllString(string(b), fmt.Sprintf("garp_repeat = %d", 1+c.reloads%9))
		switch {
		case strings.Contains(text, another):
			text = strings.ReplaceAll(text, another, "")
		default:
			text = beside.ReplaceAllString(text, "$0"+another)
		}
		if c.reloads%2 == 0 {
			text = accept.ReplaceAllString(text, fmt.Sprintf("accept = %t", c.reloads%4 == 0))
		}
		m.take(text) // and before that nothing has settled
		return false
	}}
	prioritized = mishap{name: "priority", do: func(c *chaos, m *machine) bool {
		ctx, cancel := context.WithTimeout(context.Background(), c.settle)
		defer cancel()
		client, key := control.NewClient(m.dir+"/sock"), "priority/VI_1/"+m.Name
		if err := client.Put(ctx, key, fmt.Sprint(1+c.rng.IntN(254))); err != nil {
			c.t.Errorf("set priority: %v", err)
		}
		c.upTo(5 * time.Second)
		if err := client.Delete(ctx, key); err != nil {
			c.t.Errorf("unset priority: %v", err)
		}
		return true
	}}
	handed = mishap{name: "handover", asks: true, do: func(c *chaos, m *machine) bool {
		ctx, cancel := context.WithTimeout(context.Background(), c.settle)
		defer cancel()
		// Refused where this is the master of nothing, which it may be.
		_, _ = control.NewClient(m.dir+"/sock").Handover(ctx, "")
		return true
	}}
)

// TestRandomKills kills, stops and restarts directors and guardians at random.
// Whatever happens to them: never two holders, one of the hosts serves again
// within its bound, and what happens to a guardian or to the backup leaves the
// master alone.
//
//	go test -tags priv -run TestRandomKills -timeout 0 ./cmd/edgekeeper -chaos.kills 10m
func TestRandomKills(t *testing.T) {
	t.Parallel()
	c := newChaos(t, newSite(t, variant{}), settling)
	c.run(*killsFor, []mishap{directorKilled, directorKilled, guardianKilled, guardianFrozen, bothKilled, bothKilled, frozen, allFrozen, restarted})
}

// TestSoak has more happen to directors built with the race detector, which run
// a virtual router of each kind: also to their network, their configuration and
// their priorities.
//
//	make soak SOAK=30m
func TestSoak(t *testing.T) {
	t.Parallel()
	path, err := binaries.EdgekeeperRace(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, variant{
		program: path, a: "192.0.2.1/24 fe80::1/64", b: "192.0.2.2/24 fe80::2/64",
		root: `
vrrp "VI_3" {
  interface         = "eth0"
  virtual_router_id = 53
  version           = 3
  advert_interval   = "200ms"
  virtual_address "192.0.2.103/24" {}
}
vrrp "VI_6" {
  interface         = "eth0"
  virtual_router_id = 56
  garp_repeat = 5
  accept = true
  virtual_address "2001:db8::100/64" {}
}`})
	c := newChaos(t, s, 2*settling)
	c.vips["VI_3"], c.vips["VI_6"] = "192.0.2.103", "2001:db8::100"
	c.settled()
	c.run(*soakFor, []mishap{
		directorKilled, guardianKilled, guardianFrozen, bothKilled, frozen, restarted,
		linkDown, cutOff, lossy, reloaded, prioritized, handed,
	})
	for _, m := range []*machine{s.a, s.b} {
		if err := m.proc.Stop(t, 30*time.Second); err != nil {
			t.Errorf("%s ended with %v", m.Name, err)
		}
		for _, p := range m.past {
			if _, report, found := strings.Cut(p.Output(), "WARNING: DATA RACE"); found {
				t.Errorf("data race in %s:%s", m.Name, report)
			}
		}
	}
}
