package consul

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// Source follows service health, one blocking query for each distinct
// [discovery.Query]. Its methods may be called from any goroutine.
type Source struct {
	cfg     Config
	mu      sync.Mutex
	want    map[discovery.Query]struct{}
	changed chan struct{}
}

// NewSource makes a source that asks nothing yet.
func NewSource(cfg Config) *Source {
	return &Source{cfg: cfg.withDefaults(), changed: make(chan struct{}, 1)}
}

// Set says what to ask from now on. Queries of other catalogs are left out. A
// query that stays goes on undisturbed; one that is new is asked at once.
func (s *Source) Set(queries []discovery.Query) {
	want := make(map[discovery.Query]struct{}, len(queries))
	for _, q := range queries {
		if q.Source == discovery.Consul {
			want[q] = struct{}{}
		}
	}
	s.mu.Lock()
	s.want = want
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Run asks until ctx ends and then returns nil. emit is called by one goroutine
// at a time and may block until ctx ends; an answer to a query that has just
// been taken out of the set may still come.
func (s *Source) Run(ctx context.Context, emit func(discovery.Answer)) error {
	var (
		wg      sync.WaitGroup
		emitMu  sync.Mutex
		running = make(map[discovery.Query]context.CancelFunc)
	)
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		s.mu.Lock()
		want := maps.Clone(s.want)
		s.mu.Unlock()
		for q, stop := range running {
			if _, ok := want[q]; !ok {
				stop()
				delete(running, q)
			}
		}
		for q := range want {
			if _, ok := running[q]; ok {
				continue
			}
			qctx, stop := context.WithCancel(ctx)
			running[q] = stop
			follow := s.follow(q, func(a discovery.Answer) {
				emitMu.Lock()
				defer emitMu.Unlock()
				if qctx.Err() == nil {
					emit(a)
				}
			})
			wg.Go(func() {
				defer stop()
				follow(qctx)
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.changed:
		}
	}
}

// health is an answer with what could not be used of it.
type health struct {
	instances []discovery.Instance
	warnings  []string
}

// follow gives what answers q until its context ends.
func (s *Source) follow(q discovery.Query, emit func(discovery.Answer)) func(context.Context) {
	if q.Gateway != discovery.NoGateway {
		return (&gateways{source: s, query: q, emit: emit}).run
	}
	return s.watch(q, emit).run
}

func (s *Source) watch(q discovery.Query, emit func(discovery.Answer)) *watch[health] {
	log := s.cfg.Log.With("service", q.Service)
	var w *watch[health]
	w = &watch[health]{
		cfg:   s.cfg,
		every: q.Poll,
		read: func(ctx context.Context, opts *api.QueryOptions) (health, *api.QueryMeta, error) {
			return s.read(ctx, q, opts)
		},
		equal: func(a, b health) bool { return a.equal(b, q.Near != "") },
		emit: func(h health, index uint64) {
			log.Debug("service read from consul", "instances", len(h.instances), "index", index)
			for _, w := range h.warnings {
				log.Warn("instance left out", "reason", w)
			}
			emit(discovery.Answer{Query: q, Instances: h.instances, Warnings: h.warnings, Index: index, Anew: w.anew && q.Poll == 0, At: time.Now()})
		},
		fail: func(err error) {
			log.Warn("service cannot be read from consul", "error", errText(err))
			emit(discovery.Answer{Query: q, Err: errText(err), At: time.Now()})
		},
	}
	return w
}

func (s *Source) read(ctx context.Context, q discovery.Query, opts *api.QueryOptions) (health, *api.QueryMeta, error) {
	options(q, opts)
	switch {
	case q.Node != "":
		return s.readNode(ctx, q, opts)
	case q.Prepared != "":
		return s.readPrepared(ctx, q, opts)
	}
	entries, meta, err := s.cfg.Client.Health().Service(q.Service, "", false, opts)
	if err != nil {
		return health{}, nil, fmt.Errorf("read health of service %q: %w", q.Service, err)
	}
	if entries == nil {
		return health{}, nil, fmt.Errorf("read health of service %q: %w: null", q.Service, ErrMalformed)
	}
	if len(entries) == 0 {
		if err := anonymous(ctx, s.cfg.Client, meta); err != nil {
			return health{}, nil, err
		}
	}
	h, err := healthOf(q, entries)
	if err != nil {
		return health{}, nil, fmt.Errorf("read health of service %q: %w", q.Service, err)
	}
	return h, meta, nil
}

// options are what every request about q carries.
func options(q discovery.Query, opts *api.QueryOptions) {
	opts.Datacenter, opts.Namespace, opts.Partition = q.Datacenter, q.Namespace, q.Partition
	opts.Peer, opts.Filter, opts.Near = q.Peer, q.Filter, q.Near
	for _, pair := range discovery.Split(q.NodeMeta) {
		if opts.NodeMeta == nil {
			opts.NodeMeta = map[string]string{}
		}
		key, value, _ := strings.Cut(pair, "=")
		opts.NodeMeta[key] = value
	}
}

// healthOf turns the entries of an answer into instances.
func healthOf(q discovery.Query, entries []*api.ServiceEntry) (health, error) {
	var h health
	for _, e := range entries {
		if e == nil || e.Service == nil || e.Node == nil {
			return health{}, fmt.Errorf("%w: entry without node or service", ErrMalformed)
		}
		in, err := instance(q, e)
		if err != nil {
			h.warnings = append(h.warnings, line(err.Error()))
			continue
		}
		h.instances = append(h.instances, in)
	}
	if q.Near == "" {
		slices.SortFunc(h.instances, byNodeAndID)
	}
	slices.Sort(h.warnings)
	return h, nil
}

func byNodeAndID(a, b discovery.Instance) int {
	return cmp.Or(strings.Compare(a.Node, b.Node), strings.Compare(a.ID, b.ID))
}

// equal compares what matters. The order matters to nobody but the reader of
// `near`, and round trips are no reason to emit.
func (h health) equal(o health, sorted bool) bool {
	a, b := h.instances, o.instances
	if sorted {
		a, b = slices.SortedFunc(slices.Values(a), byNodeAndID), slices.SortedFunc(slices.Values(b), byNodeAndID)
	}
	return slices.Equal(h.warnings, o.warnings) &&
		slices.EqualFunc(a, b, func(x, y discovery.Instance) bool { return reflect.DeepEqual(x, y) })
}

// instance maps one entry. The error is a sentence about the instance.
func instance(q discovery.Query, e *api.ServiceEntry) (discovery.Instance, error) {
	text, port, err := addressOf(e, q.Tagged)
	if err != nil {
		return discovery.Instance{}, err
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return discovery.Instance{}, fmt.Errorf("service %q on node %q: address %q is not an IP address", e.Service.ID, e.Node.Node, text)
	}
	if port < 0 || port > 65535 {
		return discovery.Instance{}, fmt.Errorf("service %q on node %q: port %d is out of range", e.Service.ID, e.Node.Node, port)
	}
	in := discovery.Instance{
		Service: e.Service.Service,
		ID:      e.Service.ID,
		Node:    e.Node.Node,
		Addr:    netip.AddrPortFrom(addr.Unmap(), uint16(port)),
		Tags:    e.Service.Tags,
		Meta:    e.Service.Meta,
		Weights: discovery.Weights{Passing: e.Service.Weights.Passing, Warning: e.Service.Weights.Warning},
	}
	if in.Weights == (discovery.Weights{}) {
		in.Weights = discovery.Weights{Passing: 1, Warning: 1} // a catalog entry older than weights
	}
	in.State, in.Reason = judgeSelected(q, e.Checks)
	if in.State == discovery.Critical {
		rest, _ := judgeSelected(q, asIfPassed(e.Checks))
		in.Unrun = rest < discovery.Critical
	}
	return in, nil
}
