package nomad

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	mute atomic.Bool // Nomad did not answer when it was asked last

	mu      sync.Mutex
	queries map[discovery.Query]*departures
}

// departures are what is known of those who have left the answers to one query.
type departures struct {
	mu    sync.Mutex // held until an answer has been handed on, so that they keep their order
	last  discovery.Answer
	open  []discovery.Instance // of which Nomad has not said anything yet
	tries int                  // since the last answer
	round uint64               // of answers and errors
}

const (
	askTimeout = 2 * time.Second // of the questions about one answer, which waits for them
	askAgain   = 2 * time.Second // after that, when Nomad has not answered
	mostTries  = 10
)

// NewStops makes a witness of which emit hears. It calls emit from several
// goroutines, for one query from one at a time.
func NewStops(cfg Config, emit func(discovery.Answer)) *Stops {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Stops{cfg: cfg, emit: emit, queries: map[discovery.Query]*departures{}}
}

// Emit hands an answer on, with Nomad's word about what was in the answer before
// and is not in this one. Nomad that does not answer holds it up for 2 s, and no
// further answer until it speaks again; it is asked for 20 s more, and what it says
// then comes as an answer of its own, unless the catalog has failed since. Emit may be called from any goroutine.
func (s *Stops) Emit(ctx context.Context, a discovery.Answer) {
	s.mu.Lock()
	d := s.queries[a.Query]
	if d == nil {
		d = &departures{}
		s.queries[a.Query] = d
	}
	s.mu.Unlock()

	d.mu.Lock()
	defer d.mu.Unlock()
	d.round++ // also for an error: the answer before is not to be given as new after it
	if a.Err == "" {
		d.open = missing(slices.Concat(d.last.Instances, d.open), a.Instances)
		d.last, d.tries = a, 0
		if !s.mute.Load() {
			a.Stopped = s.ask(ctx, d)
		}
		s.later(ctx, d)
	}
	s.emit(a)
}

// later asks once more about what is open, as long as the catalog has not said
// anything new.
func (s *Stops) later(ctx context.Context, d *departures) {
	if len(d.open) == 0 || d.tries == mostTries {
		return
	}
	round := d.round
	time.AfterFunc(askAgain, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if ctx.Err() != nil || d.round != round {
			return
		}
		d.tries++
		a := d.last
		if a.Stopped = s.ask(ctx, d); len(a.Stopped) > 0 {
			a.Anew, a.At = false, time.Now()
			s.emit(a)
		}
		s.later(ctx, d)
	})
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
func (s *Stops) ask(ctx context.Context, d *departures) (stopped []discovery.InstanceKey) {
	var wg sync.WaitGroup
	said := make([]string, len(d.open))
	var spoke atomic.Bool
	w := &watch[*api.Allocation]{cfg: s.cfg}
	limit := make(chan struct{}, 8)
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for i, in := range d.open {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			id, _ := allocation(in.ID)
			one := *w
			one.read = func(opts *api.QueryOptions) (*api.Allocation, *api.QueryMeta, error) {
				return s.cfg.Client.Allocations().Info(id, opts)
			}
			alloc, _, err := one.ask(ctx, askTimeout, &api.QueryOptions{})
			var refused api.UnexpectedResponseError
			if err == nil || errors.As(err, &refused) && refused.HasStatusCode() {
				spoke.Store(true) // if only to say that it cannot tell
			}
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
	for i, in := range d.open {
		switch said[i] {
		case "":
			open = append(open, in)
		case api.AllocDesiredStatusStop, api.AllocDesiredStatusEvict:
			stopped = append(stopped, in.Key())
		}
	}
	if len(d.open) > 0 {
		s.mute.Store(!spoke.Load())
	}
	d.open = open
	return stopped
}
