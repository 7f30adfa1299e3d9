package nomad

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// Config is what a source needs.
type Config struct {
	Client    *api.Client   // required
	TokenFile string        // read again for every request; empty: the client's token
	Wait      time.Duration // how long Nomad may hold a query that has nothing new; 0 means 1 minute
	Log       *slog.Logger  // nil discards
}

// Source follows native services, one blocking query for each distinct
// [discovery.Query] and one for the nodes. Its methods may be called from any
// goroutine.
type Source struct {
	cfg     Config
	changed chan struct{}

	mu   sync.Mutex // never held while anything is emitted
	want map[discovery.Query]struct{}

	state   sync.Mutex
	nodes   map[string]node // by id; nil: not known yet
	nodeErr string
	parts   map[discovery.Query]*part
}

// node is what matters of a node.
type node struct {
	name   string
	state  discovery.State
	reason string
}

// part is what is known about one query.
type part struct {
	stop  context.CancelFunc
	emit  func(discovery.Answer)
	list  []*api.ServiceRegistration
	had   bool
	index uint64
	anew  bool // the index fell, and nobody was told
	err   string
	said  *discovery.Answer
}

// NewSource makes a source that asks nothing yet.
func NewSource(cfg Config) *Source {
	if cfg.Wait <= 0 {
		cfg.Wait = time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Source{cfg: cfg, changed: make(chan struct{}, 1), parts: map[discovery.Query]*part{}}
}

// Set says what to ask from now on. Queries of other catalogs are left out. A
// query that stays goes on undisturbed; one that is new is asked at once.
func (s *Source) Set(queries []discovery.Query) {
	want := make(map[discovery.Query]struct{}, len(queries))
	for _, q := range queries {
		if q.Source == discovery.Nomad {
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
// at a time and may block until ctx ends.
func (s *Source) Run(ctx context.Context, emit func(discovery.Answer)) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watching := false
	for {
		s.mu.Lock()
		want := s.want
		s.mu.Unlock()
		s.state.Lock()
		s.follow(ctx, &wg, want, emit)
		asked := len(s.parts) > 0
		s.state.Unlock()
		if asked && !watching {
			watching = true
			wg.Go(func() { s.watchNodes(ctx) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.changed:
		}
	}
}

// follow starts and stops queries, under the lock.
func (s *Source) follow(ctx context.Context, wg *sync.WaitGroup, want map[discovery.Query]struct{}, emit func(discovery.Answer)) {
	for q, p := range s.parts {
		if _, ok := want[q]; !ok {
			p.stop()
			delete(s.parts, q)
		}
	}
	for q := range want {
		if s.parts[q] != nil {
			continue
		}
		qctx, stop := context.WithCancel(ctx)
		p := &part{stop: stop, emit: emit}
		s.parts[q] = p
		w := &watch[[]*api.ServiceRegistration]{
			cfg: s.cfg,
			read: func(opts *api.QueryOptions) ([]*api.ServiceRegistration, *api.QueryMeta, error) {
				opts.Namespace, opts.Filter = q.Namespace, q.Filter
				list, meta, err := s.cfg.Client.Services().Get(q.Service, opts)
				if err == nil && list == nil {
					err = fmt.Errorf("read service %q: malformed answer: null", q.Service)
				}
				return list, meta, err
			},
			emit: func(list []*api.ServiceRegistration, index uint64, err error) {
				s.state.Lock()
				defer s.state.Unlock()
				if qctx.Err() != nil {
					return
				}
				if err != nil {
					p.err = errText(err)
				} else {
					p.anew = p.anew || p.had && index < p.index
					p.list, p.had, p.index, p.err = list, true, index, ""
				}
				s.settle(q, p)
			},
		}
		wg.Go(func() {
			defer stop()
			w.run(qctx)
		})
	}
}

func (s *Source) watchNodes(ctx context.Context) {
	w := &watch[map[string]node]{
		cfg: s.cfg,
		read: func(opts *api.QueryOptions) (map[string]node, *api.QueryMeta, error) {
			list, meta, err := s.cfg.Client.Nodes().List(opts)
			if err == nil && list == nil {
				err = fmt.Errorf("read nodes: malformed answer: null")
			}
			out := make(map[string]node, len(list))
			for _, n := range list {
				out[n.ID] = judge(n)
			}
			return out, meta, err
		},
		emit: func(nodes map[string]node, _ uint64, err error) {
			s.state.Lock()
			defer s.state.Unlock()
			if err != nil {
				s.nodeErr = "read nodes: " + errText(err)
			} else {
				s.nodes, s.nodeErr = nodes, ""
			}
			for q, p := range s.parts {
				s.settle(q, p)
			}
		},
	}
	w.run(ctx)
}

// judge gives what a node's state means for what runs on it. A node that may get
// no more allocations goes on serving with those it has.
func judge(n *api.NodeListStub) node {
	out := node{name: n.Name}
	switch {
	case n.Drain:
		out.state, out.reason = discovery.Maintenance, "nomad drains its node "+n.Name
	case n.Status != api.NodeStatusReady:
		out.state, out.reason = discovery.Critical, fmt.Sprintf("its nomad node %s is %s", n.Name, n.Status)
	}
	return out
}

// settle emits what follows from what is known, if that is new; under the lock.
func (s *Source) settle(q discovery.Query, p *part) {
	a := discovery.Answer{Query: q, Index: p.index, Err: cmp.Or(p.err, s.nodeErr), At: time.Now()}
	if a.Err == "" {
		if !p.had || s.nodes == nil {
			return
		}
		for _, r := range p.list {
			in, err := s.instance(r)
			if err != nil {
				a.Warnings = append(a.Warnings, err.Error())
				continue
			}
			a.Instances = append(a.Instances, in)
		}
		slices.SortFunc(a.Instances, func(x, y discovery.Instance) int { return strings.Compare(x.ID, y.ID) })
		slices.Sort(a.Warnings)
	}
	if a.Err == "" {
		a.Anew, p.anew = p.anew, false
	}
	if l := p.said; l != nil && l.Err == a.Err && reflect.DeepEqual(l.Instances, a.Instances) && slices.Equal(l.Warnings, a.Warnings) {
		return
	}
	p.said = &a
	if a.Err != "" {
		s.cfg.Log.Warn("service cannot be read from nomad", "service", q.Service, "error", a.Err)
	} else {
		s.cfg.Log.Debug("service read from nomad", "service", q.Service, "instances", len(a.Instances), "index", a.Index)
	}
	p.emit(a)
}

func (s *Source) instance(r *api.ServiceRegistration) (discovery.Instance, error) {
	addr, err := netip.ParseAddr(r.Address)
	if err != nil {
		return discovery.Instance{}, fmt.Errorf("service %q of allocation %s: address %q is not an IP address", r.ServiceName, r.AllocID, r.Address)
	}
	if r.Port < 0 || r.Port > 65535 {
		return discovery.Instance{}, fmt.Errorf("service %q of allocation %s: port %d is out of range", r.ServiceName, r.AllocID, r.Port)
	}
	n, ok := s.nodes[r.NodeID]
	if !ok {
		n = node{name: r.NodeID, state: discovery.Critical, reason: "nomad does not know its node " + r.NodeID}
	}
	in := discovery.Instance{
		Service: r.ServiceName, ID: r.ID, Node: n.name, Addr: netip.AddrPortFrom(addr.Unmap(), uint16(r.Port)),
		Tags: r.Tags, State: n.state, Reason: n.reason,
	}
	// Registrations have no metadata and no weights; a tag stands in for them.
	for _, t := range r.Tags {
		if w, ok := strings.CutPrefix(t, discovery.WeightMeta+"="); ok {
			in.Meta = map[string]string{discovery.WeightMeta: w}
		}
	}
	return in, nil
}
