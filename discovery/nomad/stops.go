package nomad

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// Stops asks Nomad about the real servers that a catalog lists no longer. One
// whose allocation Nomad is stopping was taken out on purpose: the job was scaled
// down or stopped, or its node drains. What a catalog has lost by a mistake goes
// on running, and Nomad says so.
//
// Instances that Nomad has registered, in Consul or as native services, have the
// allocation in their id. About others nobody is asked.
type Stops struct {
	cfg  Config
	emit func(discovery.Answer)

	mu   sync.Mutex
	last map[discovery.Query]*left
}

// left is what is known of what a catalog lists no longer.
type left struct {
	answer discovery.Answer
	open   []discovery.Instance // of which Nomad has not said anything yet
	tries  int
}

const (
	askTimeout = 2 * time.Second // of the questions about one answer, which waits for them
	askAgain   = 2 * time.Second // after that, when Nomad has not answered
	mostTries  = 10
)

// NewStops makes a witness of which emit hears.
func NewStops(cfg Config, emit func(discovery.Answer)) *Stops {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Stops{cfg: cfg, emit: emit, last: map[discovery.Query]*left{}}
}

// Emit hands an answer on, with Nomad's word about what was in the answer before
// and is not in this one. Nomad that does not answer holds it up for 2 s; it is
// asked for 20 s more, and what it says then comes as an answer of its own. Emit
// may be called from any goroutine.
func (s *Stops) Emit(ctx context.Context, a discovery.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Err == "" {
		now := &left{answer: a}
		if before := s.last[a.Query]; before != nil {
			now.open = missing(slices.Concat(before.answer.Instances, before.open), a.Instances)
		}
		s.last[a.Query] = now
		a.Stopped = s.ask(ctx, now)
		if len(now.open) > 0 {
			time.AfterFunc(askAgain, func() { s.again(ctx, now) })
		}
	}
	s.emit(a)
}

// again asks once more, as long as the catalog has not said anything new.
func (s *Stops) again(ctx context.Context, now *left) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil || s.last[now.answer.Query] != now {
		return
	}
	a := now.answer
	if a.Stopped = s.ask(ctx, now); len(a.Stopped) > 0 {
		a.Anew, a.At = false, time.Now()
		s.emit(a)
	}
	if now.tries++; len(now.open) > 0 && now.tries < mostTries {
		time.AfterFunc(askAgain, func() { s.again(ctx, now) })
	}
}

// missing gives those of before that are not in now, each once.
func missing(before, now []discovery.Instance) (list []discovery.Instance) {
	there := make(map[discovery.InstanceKey]bool, len(now))
	for _, in := range now {
		there[in.Key()] = true
	}
	for _, in := range before {
		if _, ok := allocation(in.ID); ok && !there[in.Key()] {
			there[in.Key()] = true
			list = append(list, in)
		}
	}
	return list
}

// allocation is the id of the allocation that a service belongs to which Nomad
// has registered (nomad/client/serviceregistration.MakeAllocServiceID).
func allocation(service string) (id string, ok bool) {
	const uuid = 36
	rest, ok := strings.CutPrefix(service, "_nomad-task-")
	if !ok || len(rest) < uuid+1 || rest[uuid] != '-' {
		return "", false
	}
	return rest[:uuid], true
}

// ask asks about all that is open, at once, and gives those that Nomad stops.
// What it does not answer about stays open.
func (s *Stops) ask(ctx context.Context, l *left) (stopped []discovery.InstanceKey) {
	var wg sync.WaitGroup
	said := make([]string, len(l.open))
	w := &watch[*api.Allocation]{cfg: s.cfg}
	limit := make(chan struct{}, 8)
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for i, in := range l.open {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			id, _ := allocation(in.ID)
			one := *w
			one.read = func(opts *api.QueryOptions) (*api.Allocation, *api.QueryMeta, error) {
				return s.cfg.Client.Allocations().Info(id, opts)
			}
			alloc, _, err := one.ask(ctx, askTimeout, &api.QueryOptions{})
			switch {
			case err != nil:
				s.cfg.Log.Debug("allocation cannot be read from nomad", "allocation", id, "error", errText(err))
			case alloc != nil:
				said[i] = alloc.DesiredStatus
			}
		})
	}
	wg.Wait()
	var open []discovery.Instance
	for i, in := range l.open {
		switch said[i] {
		case "":
			open = append(open, in)
		case api.AllocDesiredStatusStop, api.AllocDesiredStatusEvict:
			stopped = append(stopped, in.Key())
		}
	}
	l.open = open
	return stopped
}
