package instance

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// pair is a group of two nodes on two LANs: A on lans[0], B on lans[1].
type pair struct {
	*Group
	log     *journal
	members [2]*node
	stop    func()
}

// startGroup runs a group until the end of the test or stop.
func startGroup(t *testing.T, lans *[2]lan, address int, change func(member int, c *Config)) *pair {
	t.Helper()
	p := &pair{log: &journal{start: time.Now()}}
	var runners []*Runner
	for i := range p.members {
		log := p.log
		name := string('A' + rune(i))
		n := &node{log: log, host: &host{t: t, log: log}}
		p.members[i] = n
		cfg := Config{
			VRRP: vrrp.Config{
				Name: name, VRID: 51,
				Addresses: []vrrp.Address{{Prefix: netip.MustParsePrefix(fmt.Sprintf("10.0.%d.100/24", i))}},
				Announce:  vrrp.AnnounceConfig{Repeat: 1, Delay: -1},
			},
			Dial: func() (Conn, error) {
				c := lans[i].dial(fmt.Sprintf("10.0.%d.%d", i, address), &journal{start: time.Now()})
				n.conn.set(c)
				return c, nil
			},
			Host:   n.host,
			OnRole: func(r Role) { log.add("%s %s", name, r.State) },
		}
		if change != nil {
			change(i, &cfg)
		}
		r, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		n.Runner = r
		runners = append(runners, r)
	}
	g, err := NewGroup(GroupConfig{Name: "G", Members: runners, OnRole: func(r GroupRole) {
		p.log.add("GROUP %s, was %s: %s", r.State, r.Previous, r.Reason)
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.Group = g
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	p.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		if err := g.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	t.Cleanup(p.stop)
	synctest.Wait()
	return p
}

// has tells which addresses are there: "AB", "A", "B" or "".
func (p *pair) has() (out string) {
	for i, n := range p.members {
		if n.host.has() {
			out += string('A' + rune(i))
		}
	}
	return out
}

func (p *pair) roles() []string {
	var out []string
	for line := range strings.Lines(p.log.take()) {
		if at, what, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(what, "remove") && !strings.HasPrefix(what, "renew") && !strings.HasPrefix(what, "announce") && !strings.HasPrefix(what, "install") {
			out = append(out, at+" "+what)
		}
	}
	return out
}

func wantRoles(t *testing.T, p *pair, want ...string) {
	t.Helper()
	if got := p.roles(); !slices.Equal(got, want) {
		t.Errorf("roles:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func pause(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestGroupOfRunners(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var lans [2]lan
		a := startGroup(t, &lans, 1, func(_ int, c *Config) { c.VRRP.Priority = 150 })
		b := startGroup(t, &lans, 2, nil)
		pause(5 * time.Second)
		if a.has() != "AB" || b.has() != "" {
			t.Fatalf("addresses %q and %q", a.has(), b.has())
		}
		wantRoles(t, a,
			"0.000 A BACKUP", "0.000 B BACKUP", "0.000 GROUP BACKUP, was INIT: A: started, listening for a master",
			"3.664 A MASTER", "3.664 B MASTER", "3.664 GROUP MASTER, was BACKUP: A: no advert from anybody for 3.414 s")
		if s := a.Status(); s.Name != "G" || s.State != vrrp.Master || !slices.Equal(s.Members, []string{"A", "B"}) {
			t.Errorf("status: %+v", s)
		}

		// One interface fails: both addresses move. It comes back: both come back.
		b.log.take()
		a.members[1].host.report.get()(Change{Kind: LinkDown, What: "eth1 is down"})
		pause(5 * time.Second)
		if a.has() != "" || b.has() != "AB" {
			t.Fatalf("addresses %q and %q after the link failed", a.has(), b.has())
		}
		wantRoles(t, a, "5.000 A FAULT", "5.000 B FAULT", "5.000 GROUP FAULT, was MASTER: B: eth1 is down")
		if s := a.members[0].Runner.Status(); s.State != vrrp.Fault || len(s.Faults) != 0 || !strings.Contains(s.Reason.String(), "eth1 is down") {
			t.Errorf("status of the other member: %+v", s)
		}
		a.members[1].host.report.get()(Change{Kind: LinkUp, What: "eth1 is up"})
		pause(5 * time.Second)
		if a.has() != "AB" || b.has() != "" {
			t.Fatalf("addresses %q and %q after it came back", a.has(), b.has())
		}

		// Priority and handover of the group.
		a.SetPriority(50, "test")
		pause(5 * time.Second)
		if a.has() != "" || b.has() != "AB" {
			t.Fatalf("addresses %q and %q after the priority was lowered", a.has(), b.has())
		}
		if err := a.Handover(t.Context(), 0); !errors.Is(err, ErrNotMaster) {
			t.Errorf("handover by a backup: %v", err)
		}
		if err := b.members[1].Handover(t.Context(), 0); err != nil {
			t.Errorf("handover by a member: %v", err)
		}
		synctest.Wait()
		if a.has() != "AB" || b.has() != "" {
			t.Fatalf("addresses %q and %q after the handover", a.has(), b.has())
		}
		a.SetFault("script", "exit 1")
		pause(5 * time.Second)
		if a.has() != "" || b.has() != "AB" {
			t.Fatalf("addresses %q and %q after a fault of the group", a.has(), b.has())
		}
		b.log.take()
		b.stop()
		now := fmt.Sprintf("%.3f", time.Since(b.log.start).Seconds())
		wantRoles(t, b, now+" A INIT", now+" B INIT", now+" GROUP INIT, was MASTER: A: stopped")
		if err := b.Handover(t.Context(), 0); !errors.Is(err, ErrStopped) {
			t.Errorf("handover after the end: %v", err)
		}
		a.SetFault("script", "")
		pause(5 * time.Second)
		if a.has() != "AB" {
			t.Errorf("addresses %q when the fault was over", a.has())
		}
	})
}

// TestGroupFaultsAddUp: the group is back when the last member is.
func TestGroupFaultsAddUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var lans [2]lan
		p := startGroup(t, &lans, 1, nil)
		pause(5 * time.Second)
		p.members[0].SetFault("x", "x failed")
		p.members[1].SetFault("y", "y failed")
		pause(time.Second)
		p.members[0].SetFault("x", "")
		pause(20 * time.Second)
		if p.has() != "" || p.Status().State != vrrp.Fault {
			t.Fatalf("%s with addresses %q while y is failed", p.Status().State, p.has())
		}
		p.members[1].SetFault("y", "")
		pause(5 * time.Second)
		if p.has() != "AB" {
			t.Errorf("addresses %q", p.has())
		}
	})
}

// TestGroupHeldUp: what holds one member up in the kernel is everybody's
// lateness: none goes on with addresses that another router may have.
func TestGroupHeldUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var lans [2]lan
		p := startGroup(t, &lans, 1, nil)
		pause(4 * time.Second)
		p.log.take()
		p.members[0].host.block.set(5 * time.Second)
		pause(5900 * time.Millisecond)
		if p.has() != "" {
			t.Errorf("addresses %q after the loop was held up for 5 s", p.has())
		}
		wantRoles(t, p, "9.859 A BACKUP", "9.859 B BACKUP",
			"9.859 GROUP BACKUP, was MASTER: A: 5.000 s since our last advert: a backup may have taken over, electing again")
	})
}

func TestNewGroup(t *testing.T) {
	newRunner := func(name string, priority uint8) *Runner {
		r, err := New(Config{
			VRRP: vrrp.Config{Name: name, VRID: 1, Priority: priority, Addresses: []vrrp.Address{{Prefix: netip.MustParsePrefix("192.0.2.100/24")}}},
			Dial: func() (Conn, error) { return nil, errFake }, Host: &host{t: t},
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if _, err := NewGroup(GroupConfig{Name: "G"}); err == nil {
		t.Error("a group without members")
	}
	if _, err := NewGroup(GroupConfig{Name: "G", Members: []*Runner{newRunner("A", 100), newRunner("B", 255)}}); !errors.Is(err, vrrp.ErrOwners) {
		t.Errorf("an owner beside another: %v", err)
	}
	a := newRunner("A", 100)
	if _, err := NewGroup(GroupConfig{Name: "G", Members: []*Runner{a}}); err != nil {
		t.Fatal(err)
	}
	if _, err := NewGroup(GroupConfig{Name: "H", Members: []*Runner{a}}); !errors.Is(err, ErrGrouped) {
		t.Errorf("member of two groups: %v", err)
	}
	if err := a.Run(t.Context()); !errors.Is(err, ErrGrouped) {
		t.Errorf("a member runs alone: %v", err)
	}
}
