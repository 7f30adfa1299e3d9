package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/notify"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/discovery/check"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/vrrp/guardian"
)

// A burst of changes settles for settleMin; a stream of them is acted upon
// after settleMax at the latest.
const (
	settleMin = 20 * time.Millisecond
	settleMax = 250 * time.Millisecond
)

// reviewEvery is how often everything is decided anew although nothing arrived:
// removal windows end, and the record of what is ours gets shorter.
const reviewEvery = 10 * time.Second

// agent is a running director. What is below "owned by the loop" is touched by
// the loop's goroutine only; others post functions to it.
type agent struct {
	opts     Options
	log      *slog.Logger
	work     context.Context // ends when the addresses are gone
	inbox    chan func()
	history  history
	store    *store
	kernel   *dataplane
	checks   *check.Scheduler
	routers  *routers
	standing *standing
	queue    *notify.Queue
	running  sync.WaitGroup // sources
	begun    time.Time

	guardian *guardian.Keeper // nil: none
	roles    chan struct{}    // one has changed
	favours  favours

	// Owned by the loop.
	cfg         *config.Config
	configAt    control.ConfigStatus
	stopSources context.CancelFunc
	source      sourceSet
	known       map[discovery.Query]discovery.Known
	firstError  map[discovery.Query]string // of queries that have never been answered
	spoken      map[string]bool            // sources that have emitted since the start
	pairs       discovery.KVAnswer
	kvError     string
	pairsStale  bool // pairs are of before the restart
	decided     bool // the first table was made
	overrides   discovery.Overrides
	rejected    []discovery.Rejected
	peers       map[string]*peerMemory // by VRRP instance
	verdicts    map[discovery.Check]discovery.Verdict
	memory      map[string]discovery.Memory // by virtual server
	decisions   []discovery.Decision
	trackers    map[string]*tracker // by name
	targets     []target
	dirtySince  time.Time // zero: clean
	settled     *time.Timer
	stepped     *time.Timer // when time alone changes a pool
	failure     error
}

func newAgent(opts Options, st *store) *agent {
	a := &agent{
		opts: opts, log: opts.Log, begun: time.Now(),
		inbox:      make(chan func(), 256),
		roles:      make(chan struct{}, 1),
		store:      st,
		checks:     check.NewScheduler(check.Config{Log: opts.Log}),
		cfg:        opts.Config,
		configAt:   control.ConfigStatus{Path: opts.Path, LoadedAt: time.Now()},
		known:      map[discovery.Query]discovery.Known{},
		spoken:     map[string]bool{},
		firstError: map[discovery.Query]string{},
		peers:      map[string]*peerMemory{},
		verdicts:   map[discovery.Check]discovery.Verdict{},
		memory:     map[string]discovery.Memory{},
		settled:    time.NewTimer(time.Hour),
		stepped:    time.NewTimer(time.Hour),
	}
	a.settled.Stop()
	a.stepped.Stop()
	a.kernel = &dataplane{store: st, event: a.event, sync: newSyncFollower(a.event)}
	a.routers, a.standing = &routers{agent: a}, newStanding()
	a.queue = notify.New(func(f notify.Failure) { a.event("notify", f.Route, f.String()) })
	a.guardian = a.makeGuardian()
	return a
}

// post gives the loop something to do, unless ctx ends first.
func (a *agent) post(ctx context.Context, f func()) {
	select {
	case a.inbox <- f:
	case <-ctx.Done():
	}
}

// errStopping is the answer to orders that come too late.
var errStopping = errors.New("the director is stopping")

// ask runs f in the loop and returns what it returns. f may still run after a
// caller has given up; it must not touch the caller's variables.
func ask[T any](ctx context.Context, a *agent, f func() T) (T, error) {
	done := make(chan T, 1)
	var none T
	select {
	case a.inbox <- func() { done <- f() }:
	case <-ctx.Done():
		return none, ctx.Err()
	case <-a.work.Done():
		return none, errStopping
	}
	select {
	case v := <-done:
		return v, nil
	case <-ctx.Done():
		return none, ctx.Err()
	case <-a.work.Done():
		return none, errStopping
	}
}

// loop handles what arrives until ctx is done or something fatal happened.
func (a *agent) loop(ctx context.Context) error {
	slowly := time.NewTicker(reviewEvery)
	defer slowly.Stop()
	for a.failure == nil {
		select {
		case <-slowly.C:
			a.kernel.tuned.insist(a.cfg, a.event)
			a.kernel.tuned.review(a.event)
			a.routers.findPeers()
			a.touch()
		case f := <-a.inbox:
			f()
		case <-a.settled.C:
			a.decide()
		case <-a.stepped.C:
			a.decide()
		case <-a.standing.wake:
			a.tookRole()
		case <-ctx.Done():
			return nil
		}
	}
	return a.failure
}

// fail ends the director: a supervisor starts it again, and the leases and the
// clean-up at start take care of the addresses.
func (a *agent) fail(err error) { a.failure = err }

// touch says that something changed which the pools may depend on.
func (a *agent) touch() {
	now := time.Now()
	if a.dirtySince.IsZero() {
		a.dirtySince = now
	}
	wait := min(settleMin, settleMax-now.Sub(a.dirtySince))
	if missing := a.silent(); len(missing) > 0 && now.Sub(a.begun) < grace {
		wait = grace - now.Sub(a.begun)
	}
	a.settled.Reset(max(wait, 0))
}

// silent lists the sources that have not said anything since the start.
func (a *agent) silent() []string {
	return slices.DeleteFunc(a.source.names(), func(n string) bool { return a.spoken[n] })
}

// standIn fills in what an earlier run knew for sources that are silent still
// when the first table is made: silence is no empty answer.
func (a *agent) standIn() {
	for _, q := range a.source.queries {
		if _, ok := a.known[q]; !ok {
			a.unanswered(q, "has not answered yet")
		}
	}
	if !a.spoken["kv"] {
		a.unset()
	}
	a.routers.findPeers()
}

// adopt remembers of a virtual server what the kernel holds, so that the first
// decision about it knows what serves.
func (a *agent) adopt(spec discovery.Spec, table lvs.Table) {
	if pool, ok := table[spec.Service.Key]; ok {
		a.memory[spec.Name] = discovery.Adopt(pool)
	}
}

// decide merges everything into the desired table.
func (a *agent) decide() {
	a.dirtySince = time.Time{}
	if !a.decided {
		a.decided = true
		a.standIn()
	}
	view := discovery.View{Answers: a.known, Verdicts: a.verdicts, Overrides: a.overrides, Now: time.Now()}
	want := lvs.Desired{Pools: make(map[lvs.Key]lvs.Want, len(a.cfg.VirtualServers)), Owned: a.store.owned}
	before := a.decisions
	a.decisions = make([]discovery.Decision, 0, len(a.cfg.VirtualServers))
	checks := map[discovery.Check]check.Seed{}
	var next time.Time
	var master []lvs.Key
	memory := make(map[string]discovery.Memory, len(a.cfg.VirtualServers))
	for _, spec := range a.cfg.VirtualServers {
		d := discovery.Merge(spec, view, a.memory[spec.Name])
		a.decisions = append(a.decisions, d)
		memory[spec.Name] = d.Memory
		if a.standby(spec) == "" {
			want.Pools[spec.Service.Key] = d.Want
			want.Marks = append(want.Marks, spec.Markings()...)
			if spec.ActiveOn == discovery.OnMaster {
				master = append(master, spec.Service.Key)
			}
		}
		if !d.Next.IsZero() && (next.IsZero() || d.Next.Before(next)) {
			next = d.Next
		}
		for c, seed := range d.Checks {
			checks[c] = max(checks[c], seed) // Up, when one pool knows it to serve
		}
	}
	a.memory = memory
	a.stepped.Stop()
	if !next.IsZero() {
		a.stepped.Reset(max(time.Until(next), settleMin))
	}

	a.checks.Set(checks)
	maps.DeleteFunc(a.verdicts, func(c discovery.Check, _ discovery.Verdict) bool {
		_, wanted := checks[c]
		return !wanted
	})
	if err := a.store.own(keysOf(want), a.kernel.remaining(), master); err != nil {
		a.event("agent", "state", "cannot record which virtual servers are ours: "+err.Error())
	}
	if len(want.Marks) > 0 {
		if err := a.store.ownMarks(); err != nil {
			a.event("agent", "state", "cannot record that firewall marks are ours: "+err.Error())
		}
	}
	if a.kernel.reconciler != nil {
		a.kernel.reconciler.Set(want)
	}
	a.deriveTrackers()
	// The table first, the words after: a line per real server on a slow log must
	// not keep ten thousand of them from serving.
	a.explain(before)
	a.remember()
}

// explain reports what changed between two decisions, a sentence per real server.
func (a *agent) explain(before []discovery.Decision) {
	old := map[string]discovery.Decision{}
	for _, d := range before {
		old[d.Spec.Name] = d
	}
	for _, d := range a.decisions {
		was, known := old[d.Spec.Name]
		a.tellPool(was, d)
		for _, w := range d.Warnings {
			if !slices.Contains(was.Warnings, w) {
				a.event("catalog", d.Spec.Name, w)
			}
		}
		if d.Held != "" && was.Held == "" {
			a.event("held", d.Spec.Name, "HELD: "+d.Held)
		} else if d.Held == "" && was.Held != "" {
			a.event("held", d.Spec.Name, "no longer held")
		}
		if d.Want.Hold != was.Want.Hold {
			a.event("held", d.Spec.Name, orElse(d.Want.Hold, "no longer frozen by KV"))
		}
		if d.Panic != was.Panic {
			a.event("pool", d.Spec.Name, map[bool]string{true: "panic: too few healthy real servers, so all are used", false: "panic is over"}[d.Panic])
		}
		if d.QuorumLost != was.QuorumLost || !known && d.QuorumLost {
			a.event("pool", d.Spec.Name, map[bool]string{true: "quorum lost", false: "quorum regained"}[d.QuorumLost])
		}
		if d.Instead != was.Instead {
			a.event("pool", d.Spec.Name, answers(d))
		}
		states := map[string]discovery.ServerStatus{}
		for _, s := range slices.Concat(was.Servers, was.Fallback) {
			states[s.Addr.String()] = s
		}
		for _, s := range slices.Concat(d.Servers, d.Fallback) {
			prev, seen := states[s.Addr.String()]
			if !seen || prev.State != s.State || prev.Weight != s.Weight && !grows(prev, s) {
				a.event("server", d.Spec.Name+" "+s.Addr.String(), fmt.Sprintf("%s with weight %d: %s", s.State, s.Weight, s.Reason))
			}
		}
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// verdict takes what a native check says.
func (a *agent) verdict(c discovery.Check, v discovery.Verdict) {
	a.post(a.work, func() {
		was := a.verdicts[c]
		a.verdicts[c] = v
		for _, news := range checkNews(was, v) {
			a.event("check", c.Target.String(), fmt.Sprintf("%s check %s", c.Spec().Type, news))
		}
		a.touch()
	})
}
