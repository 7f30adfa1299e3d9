package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
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
	guarding chan struct{}    // closed when there is something to guard
	roles    chan struct{}    // one has changed
	favours  favours
	reading  atomic.Bool // a configuration, for a reload

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
	pairsStale  bool   // pairs are of before the restart
	pairsOf     string // the KV that they came from; see settingsOf
	decided     bool   // the first table was made
	learned     bool   // something that a later run wants to know
	overrides   discovery.Overrides
	rejected    []discovery.Rejected
	peers       map[string]*peerMemory // by VRRP instance
	verdicts    discovery.Verdicts
	memory      map[string]discovery.Memory // by virtual server
	decisions   []discovery.Decision
	due         due
	told        told                // to the reconciler
	trackers    map[string]*tracker // by name
	targets     []target
	dirtySince  time.Time // zero: clean
	settled     *time.Timer
	stepped     *time.Timer // when time alone changes a pool
	saving      *time.Timer // when what is known is to be written
	tidiness    tidiness
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
		memory:     map[string]discovery.Memory{},
		settled:    time.NewTimer(time.Hour),
		stepped:    time.NewTimer(time.Hour),
		saving:     time.NewTimer(time.Hour),
	}
	a.settled.Stop()
	a.stepped.Stop()
	a.saving.Stop()
	a.due.all = true
	a.kernel = &dataplane{store: st, event: a.event, sync: newSyncFollower(a.event)}
	a.routers, a.standing = &routers{agent: a}, newStanding()
	a.queue = notify.New(func(f notify.Failure) { a.event("notify", f.Route, f.String()) })
	a.guardian, a.guarding = a.makeGuardian(), make(chan struct{})
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
			a.due.review(a.decisions)
			a.settle()
			a.tidy()
		case f := <-a.inbox:
			f()
		case <-a.settled.C:
			a.decide()
		case <-a.stepped.C:
			a.decide()
		case <-a.saving.C:
			a.remember()
		case <-a.standing.wake:
			a.tookRole()
		case <-ctx.Done():
			if a.decided && a.learned {
				a.store.saveTook = 0 // there is no later
				a.remember()
			}
			return nil
		}
	}
	return a.failure
}

// fail ends the director: a supervisor starts it again, and the leases and the
// clean-up at start take care of the addresses.
func (a *agent) fail(err error) { a.failure = err }

// touch says that something changed which all pools may depend on.
func (a *agent) touch() {
	a.due.all = true
	a.settle()
}

// settle has what is due decided when a burst of changes is over.
func (a *agent) settle() { a.settleFor(settleMin) }

// settleFor has what is due decided after so long without another change.
func (a *agent) settleFor(quiet time.Duration) {
	now := time.Now()
	if a.dirtySince.IsZero() {
		a.dirtySince = now
	} else {
		quiet = settleMin // it is amid a burst
	}
	wait := min(quiet, settleMax-now.Sub(a.dirtySince))
	if left := grace - now.Sub(a.begun); left > 0 && len(a.silent()) > 0 {
		wait = left
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

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// verdict takes what a native check says.
func (a *agent) verdict(said *discovery.Said) {
	a.post(a.work, func() {
		c, was := said.Check(), a.verdicts.Put(said).Verdict()
		for _, news := range checkNews(was, said.Verdict()) {
			a.event("check", c.Target.String(), fmt.Sprintf("%s check %s", c.Spec().Type, news))
		}
		a.due.checked(c)
		a.settle()
	})
}
