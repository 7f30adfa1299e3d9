package check

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// Config of a Scheduler; the zero value is usable.
type Config struct {
	// MaxInFlight bounds attempts under way, each with a connection; 0 means
	// 4096, or three quarters of the files that this process may have open, if that
	// is less: what cannot have one is not checked. Targets that do not answer hold a place for their whole timeout, so
	// N silent targets need N×Timeout/Interval places.
	MaxInFlight int

	// New makes probes; nil means New of a [Maker], and checks that do nothing but
	// connect without one.
	New func(discovery.Check) (Probe, error)

	Log *slog.Logger // nil discards
}

// Seed is what is believed of a target before its first attempt; see
// [NewRise].
type Seed = discovery.Health

// Stats counts what a Scheduler has done.
type Stats struct {
	Checks   int           // in the set
	InFlight int           // attempts under way
	Queued   int           // due, waiting for a place
	Attempts uint64        // ended
	Failures uint64        // of these
	Void     uint64        // attempts that counted neither way
	MaxLate  time.Duration // the longest an attempt started after it was due
}

// Scheduler runs checks. Its methods may be called from any goroutine.
type Scheduler struct {
	cfg     Config
	plain   bool // checks that only connect need no probe
	hash    maphash.Seed
	changed chan struct{}

	mu      sync.Mutex
	want    map[discovery.Check]Seed // nil: the runner has it
	stayed  map[discovery.Check]Seed // in all sets that the runner has missed; nil: it has missed none
	entries []*entry                 // the runner's, which alone writes them, under the lock what others read
	stats   Stats
}

// NewScheduler makes a scheduler that checks nothing yet.
func NewScheduler(cfg Config) *Scheduler {
	if cfg.MaxInFlight <= 0 {
		cfg.MaxInFlight = places()
	}
	plain := cfg.New == nil
	if plain {
		cfg.New = new(Maker).New
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Scheduler{
		cfg:     cfg,
		plain:   plain,
		hash:    maphash.MakeSeed(),
		changed: make(chan struct{}, 1),
	}
}

// places is the default of MaxInFlight.
func places() int {
	const most = 4096
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return most
	}
	return int(min(most, max(files.Cur/4*3, 1)))
}

// Set says what to check from now on; the map must not be changed any more. A
// check that stays keeps its state and its pace, whatever its seed is now; one that any
// Set has left out, however shortly, begins anew.
func (s *Scheduler) Set(checks map[discovery.Check]Seed) {
	s.mu.Lock()
	if s.want != nil {
		s.stayed = both(s.stayed, s.want)
	}
	if s.want = checks; checks == nil {
		s.want = map[discovery.Check]Seed{}
	}
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// both gives the checks of a that are in b, too; nil is all checks.
func both(a, b map[discovery.Check]Seed) map[discovery.Check]Seed {
	if a == nil {
		return b
	}
	out := make(map[discovery.Check]Seed, len(a))
	for c, seed := range a {
		if _, ok := b[c]; ok {
			out[c] = seed
		}
	}
	return out
}

// Stats gives a copy of the counters.
func (s *Scheduler) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Run checks until ctx ends and then returns nil, after every attempt has
// ended. emit is called by one goroutine and must not block for long: nothing
// is started meanwhile. It fails when it cannot begin.
func (s *Scheduler) Run(ctx context.Context, emit func(*discovery.Said)) error {
	ctx, cancel := context.WithCancel(ctx)
	r, err := s.newRunner(ctx, emit)
	if err != nil {
		cancel()
		return err
	}
	defer func() {
		cancel()
		r.close()
		go func() {
			r.wg.Wait()
			close(r.results)
		}()
		for range r.results { // until every attempt has ended
		}
	}()
	r.loop()
	return nil
}

// newRunner makes the state of one Run.
func (s *Scheduler) newRunner(ctx context.Context, emit func(*discovery.Said)) (*runner, error) {
	r := &runner{
		Scheduler: s,
		ctx:       ctx,
		emit:      emit,
		began:     time.Now(),
		results:   make(chan result, 256),
	}
	if !s.plain {
		return r, nil
	}
	var err error
	if r.connector, err = newConnector(); err != nil {
		return nil, fmt.Errorf("watch connections of checks: %w", err)
	}
	r.wg.Go(func() { r.connector.watch(ctx) })
	return r, nil
}

// close ends the connections that are under way.
func (r *runner) close() {
	if r.connector != nil {
		r.connector.close()
	}
}

// spread gives a share of the interval that depends on the check and on this
// process, so that two directors do not probe in step.
func (s *Scheduler) spread(c discovery.Check) time.Duration {
	h := maphash.Comparable(s.hash, c)
	return time.Duration(float64(c.Spec().Interval) * (float64(h>>11) / (1 << 53)))
}
