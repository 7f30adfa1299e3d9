package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeDirector is a director as `edgekeeper status -json` shows it.
type fakeDirector struct {
	node                 string
	pid                  int
	version              string
	state                string
	since, started       time.Time
	noPreempt            bool
	config, kv, received int
	held, kvBroken       string
	dead                 bool
	servers              int
	sync                 bool
	active               int
}

func (d *fakeDirector) priority() int { return cmp.Or(d.kv, d.config) }

// fakeFleet elects like VRRP: a director that comes back takes over from one of
// lower priority when it preempts.
type fakeFleet struct {
	mu        sync.Mutex
	list      []*fakeDirector
	upgraded  []string // nodes, in their order
	moves     int
	replaced  func(f *fakeFleet, d *fakeDirector) // after the restart
	keepsDown string                              // node that does not come back
	catchUp   time.Duration                       // until lvs2 knows the connections again; 0: never
}

func newFleet() *fakeFleet {
	f := &fakeFleet{}
	for i, node := range []string{"lvs1", "lvs2", "lvs3"} {
		f.list = append(f.list, &fakeDirector{node: node, pid: i + 1, version: "1.0.0 (abc)", state: backup, since: time.Now(), started: time.Now(), config: 100 - 10*i, received: 5, servers: 2})
	}
	f.list[0].state, f.list[0].received = master, 0
	return f
}

func (f *fakeFleet) get(node string) *fakeDirector {
	i := slices.IndexFunc(f.list, func(d *fakeDirector) bool { return d.node == node })
	return f.list[i]
}

func (f *fakeFleet) master() *fakeDirector {
	for _, d := range f.list {
		if d.state == master {
			return d
		}
	}
	return nil
}

func (f *fakeFleet) take(d *fakeDirector) {
	if m := f.master(); m != nil {
		m.state, m.since, m.received = backup, time.Now(), 1
	}
	d.state, d.since = master, time.Now()
	f.moves++
}

func (f *fakeFleet) locked(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fakeFleet) members(context.Context) ([]member, error) {
	var out []member
	for _, d := range f.list {
		out = append(out, member{node: d.node, alloc: strconv.Itoa(d.pid)})
	}
	return out, nil
}

var errSilent = errors.New("connection refused")

func (f *fakeFleet) ask(_ context.Context, m member) (*condition, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.get(m.node)
	if d.dead || m.alloc != strconv.Itoa(d.pid) {
		return nil, errSilent
	}
	from, master := "config", ""
	if d.kv != 0 {
		from = "kv"
	}
	if d.received > 0 {
		master = "192.0.2.2"
	}
	servers := []map[string]any{}
	for i := range d.servers {
		servers = append(servers, map[string]any{"address": fmt.Sprintf("192.0.2.1%d:80", i), "weight": 1, "kernel": map[string]int{"active": d.active}})
	}
	ipvs := map[string]any{"in_sync": true}
	if d.sync {
		ipvs["connection_sync"] = map[string]string{"state": strings.ToLower(d.state)}
	}
	text, err := json.Marshal(map[string]any{
		"version": d.version, "pid": d.pid, "started": d.started, "ipvs": ipvs,
		"vrrp": []map[string]any{{
			"name": "VI_1", "state": d.state, "since": d.since, "priority": d.priority(), "base_priority": d.priority(), "config_priority": d.config,
			"priority_from": from, "preempt": !d.noPreempt, "master": master, "adverts_received": d.received,
		}},
		"pools": []map[string]any{{"name": "web", "held": d.held, "servers": servers}},
	})
	if err != nil {
		return nil, err
	}
	c := &condition{}
	return c, json.Unmarshal(text, c)
}

func (f *fakeFleet) order(_ context.Context, m member, args ...string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.get(m.node)
	switch args[0] {
	case "priority":
		if d.kvBroken != "" {
			return "", errors.New(d.kvBroken)
		}
		d.kv, _ = strconv.Atoi(args[len(args)-1])
		if args[1] == "-reset" {
			d.kv = 0
		}
		return "", nil
	case "handover":
		var next *fakeDirector
		for _, o := range f.list {
			if o != d && (next == nil || o.priority() > next.priority()) {
				next = o
			}
		}
		f.take(next)
		return `[{"instance":"VI_1","to":"192.0.2.2","seconds":0.02}]`, nil
	}
	return "", fmt.Errorf("unknown order %q", args)
}

func (f *fakeFleet) replace(_ context.Context, m member) (member, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.get(m.node)
	f.upgraded = append(f.upgraded, d.node)
	if f.keepsDown == d.node {
		d.dead = true
		return m, nil
	}
	if d.state == master {
		return m, errors.New("the fake cannot stop a master")
	}
	d.pid, d.version, d.received, d.servers, d.since, d.started, d.state, d.active = d.pid+100, "1.1.0 (def)", 0, 0, time.Now(), time.Now(), backup, 0
	go func() { // adverts first, then the pools; never in the moment of a look at them
		time.Sleep(1100 * time.Millisecond)
		f.locked(func() {
			d.received++
			if !d.noPreempt && f.master().priority() < d.priority() {
				f.take(d)
			}
		})
		time.Sleep(1100 * time.Millisecond)
		f.locked(func() { d.servers = 2 })
		if d.node == "lvs2" && f.catchUp > 0 {
			time.Sleep(f.catchUp)
			f.locked(func() { d.active = 4 })
		}
		if f.replaced != nil {
			f.locked(func() { f.replaced(f, d) })
		}
	}()
	return member{node: m.node, alloc: strconv.Itoa(d.pid)}, nil
}

// upgrading runs an upgrade in a time of its own and returns what it said, too.
func upgrading(t *testing.T, f *fakeFleet, version string) (*Upgraded, string, error) {
	t.Helper()
	var said strings.Builder
	u := &upgrade{fleet: f, o: UpgradeOptions{Version: version, Step: time.Minute, Settle: 5 * time.Second, CatchUp: 10 * time.Second}, done: &Upgraded{},
		sayf: func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) }}
	err := u.run(t.Context())
	time.Sleep(10 * time.Second) // the directors have something to do themselves
	t.Logf("%s%v", said.String(), err)
	return u.done, said.String(), err
}

func TestUpgrade(t *testing.T) {
	for _, preempt := range []bool{true, false} {
		t.Run(fmt.Sprintf("preempt %v", preempt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				for _, d := range f.list {
					d.noPreempt = !preempt
				}
				done, said, err := upgrading(t, f, "1.1.0")
				if err != nil {
					t.Fatal(err)
				}
				if want := []string{"lvs2", "lvs3", "lvs1"}; !slices.Equal(f.upgraded, want) {
					t.Errorf("order %v, want %v", f.upgraded, want)
				}
				if f.moves != 1 || len(done.Moves) != 1 || done.Moves[0].From != "lvs1" || done.Moves[0].To != "lvs2" {
					t.Errorf("%d moves: %+v", f.moves, done.Moves)
				}
				for _, want := range []string{"1. lvs2, version 1.0.0: VI_1 BACKUP 90", "lvs2: waiting: VI_1 has heard no advert", "pool web has not loaded 192.0.2.10:80", "lvs1: handed VI_1 over to lvs2 in 0.02 s"} {
					if !strings.Contains(said, want) {
						t.Errorf("nothing says %q", want)
					}
				}
				if d := f.get("lvs1"); preempt && (d.kv != 89 || len(done.Notes) != 1) || !preempt && (d.kv != 0 || len(done.Notes) != 0) {
					t.Errorf("lvs1 has priority %d from KV, notes %q", d.kv, done.Notes)
				}
			})
		})
	}
}

// The second upgrade finds the master lowered by the first, and gives that back.
func TestUpgradeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.list[0].kv = 91
		f.list[0].state, f.list[0].received, f.list[1].state, f.list[1].received = backup, 5, master, 0
		f.list[1].config = 92
		if _, _, err := upgrading(t, f, "1.1.0"); err != nil {
			t.Fatal(err)
		}
		if f.moves != 1 || f.master().node != "lvs1" || f.get("lvs1").kv != 0 || f.get("lvs2").kv != 0 {
			t.Errorf("%d moves, %s is master, priorities from KV %d and %d", f.moves, f.master().node, f.get("lvs1").kv, f.get("lvs2").kv)
		}
	})
}

// A master of lower priority than the one that follows stays below it anyway.
func TestUpgradeLeavesPriorities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.list[0].config, f.list[1].noPreempt, f.list[2].noPreempt = 70, true, true
		done, _, err := upgrading(t, f, "1.1.0")
		if err != nil || f.moves != 1 || len(done.Notes) != 0 || f.list[0].kv != 0 {
			t.Errorf("%d moves, priority %d from KV, notes %q, %v", f.moves, f.list[0].kv, done.Notes, err)
		}
	})
}

func TestUpgradeGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.list[1].version = "v1.1.0"
		if _, _, err := upgrading(t, f, "1.1.0"); err != nil || !slices.Equal(f.upgraded, []string{"lvs3", "lvs1"}) {
			t.Errorf("upgraded %v, %v", f.upgraded, err)
		}
	})
}

func TestUpgradeCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		for _, d := range f.list {
			d.sync, d.active = true, 4
		}
		f.catchUp = 3 * time.Second
		done, said, err := upgrading(t, f, "1.1.0")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(said, "lvs2: knows 8 of 8 open connections") || !strings.Contains(said, "lvs3: knows 0 of 8 open connections") {
			t.Errorf("said:\n%s", said)
		}
		if !slices.ContainsFunc(done.Notes, func(n string) bool {
			return strings.HasPrefix(n, "lvs3 knew 0 of 8 open connections after 10s")
		}) {
			t.Errorf("notes %q", done.Notes)
		}
	})
}

// Whatever is not as ordered ends the upgrade, and what follows stays as it is.
func TestUpgradeAborts(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(f *fakeFleet)
		err      error
		want     string
		upgraded []string
		moves    int
	}{
		{"two masters", func(f *fakeFleet) { f.list[1].state = master }, ErrNotBegun, "VI_1 has 2 masters", nil, 0},
		{"no master", func(f *fakeFleet) { f.list[0].state = backup; f.list[0].received = 1 }, ErrNotBegun, "VI_1 has 0 masters", nil, 0},
		{"fault", func(f *fakeFleet) { f.list[2].state = "FAULT" }, ErrNotBegun, "lvs3: VI_1 is FAULT", nil, 0},
		{"silent director", func(f *fakeFleet) { f.list[2].dead = true }, ErrNotBegun, "lvs3 does not answer", nil, 0},
		{"held pool", func(f *fakeFleet) { f.list[0].held = "half of it would go" }, ErrNotBegun, "lvs1: pool web is held: half of it would go", nil, 0},
		{"priority cannot be set", func(f *fakeFleet) { f.list[0].kvBroken = "no leader" }, ErrFlap, "lvs1: it would take VI_1 back, and its priority cannot be changed: no leader", []string{"lvs2", "lvs3"}, 0},
		{"does not come back", func(f *fakeFleet) { f.keepsDown = "lvs3" }, ErrFlap, "lvs3: not ready within 1m0s: it does not answer: connection refused", []string{"lvs2", "lvs3"}, 0},
		{"pool comes held", func(f *fakeFleet) {
			f.replaced = func(_ *fakeFleet, d *fakeDirector) { d.held = "half of it would go" }
		}, ErrFlap, "lvs2: not ready within 1m0s: pool web is held: half of it would go", []string{"lvs2"}, 0},
		{"takes over although there is a master", func(f *fakeFleet) { f.list[1].config = 110 }, ErrFlap, "lvs2 took VI_1 although it had a master", []string{"lvs2"}, 1},
		{"another director is gone", func(f *fakeFleet) {
			f.replaced = func(f *fakeFleet, _ *fakeDirector) { f.list[2].dead = true }
		}, ErrFlap, "lvs3 does not answer any more: connection refused", []string{"lvs2"}, 0},
		{"another director was started again", func(f *fakeFleet) {
			f.replaced = func(f *fakeFleet, _ *fakeDirector) { f.list[2].started = time.Now() }
		}, ErrFlap, "lvs3: the director was started again, and not by this upgrade", []string{"lvs2"}, 0},
		{"the master was away for a moment", func(f *fakeFleet) {
			f.replaced = func(f *fakeFleet, _ *fakeDirector) { f.list[0].since = time.Now() }
		}, ErrFlap, "lvs1: VI_1 left the state MASTER and came back to it", []string{"lvs2"}, 0},
		{"the address moves by itself", func(f *fakeFleet) {
			f.replaced = func(f *fakeFleet, _ *fakeDirector) { f.take(f.list[2]) }
		}, ErrFlap, "VI_1 went from", []string{"lvs2"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				c.change(f)
				_, _, err := upgrading(t, f, "1.1.0")
				if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v\nwant %v: … %s", err, c.err, c.want)
				}
				if !slices.Equal(f.upgraded, c.upgraded) || f.moves != c.moves {
					t.Errorf("upgraded %v with %d moves, want %v with %d", f.upgraded, f.moves, c.upgraded, c.moves)
				}
			})
		})
	}
}
