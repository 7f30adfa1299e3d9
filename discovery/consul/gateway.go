package consul

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// gateways follows the mesh gateways that serve a service: one query for which
// they are, and one on the health of each. It emits when all of them have been
// answered, so that a gateway is missing only when Consul says so.
type gateways struct {
	source *Source
	query  discovery.Query
	emit   func(discovery.Answer)

	mu    sync.Mutex
	names map[string]uint16 // of the gateway services, with the listener's port or 0; nil: not known yet
	err   string            // why names cannot be read
	parts map[string]*gatewayPart
	said  *discovery.Answer
}

// gatewayPart is one gateway service.
type gatewayPart struct {
	stop    context.CancelFunc
	answer  discovery.Known
	had     bool
	failing string
}

// run blocks until ctx ends.
func (g *gateways) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	g.parts = map[string]*gatewayPart{}
	log := g.source.cfg.Log.With("service", g.query.Service, "gateway", g.query.Gateway.String())
	w := &watch[map[string]uint16]{
		cfg:   g.source.cfg,
		read:  g.read,
		equal: maps.Equal[map[string]uint16, map[string]uint16],
		emit: func(names map[string]uint16, index uint64) {
			log.Debug("gateways read from consul", "gateways", len(names), "index", index)
			g.mu.Lock()
			defer g.mu.Unlock()
			g.names, g.err = names, ""
			g.follow(ctx, &wg)
			g.settle()
		},
		fail: func(err error) {
			log.Warn("gateways cannot be read from consul", "error", errText(err))
			g.mu.Lock()
			defer g.mu.Unlock()
			g.err = errText(err)
			g.settle()
		},
	}
	w.run(ctx)
}

// follow starts and stops the queries about single gateways.
func (g *gateways) follow(ctx context.Context, wg *sync.WaitGroup) {
	for name, p := range g.parts {
		if _, ok := g.names[name]; !ok {
			p.stop()
			delete(g.parts, name)
		}
	}
	for name := range g.names {
		if g.parts[name] != nil {
			continue
		}
		pctx, stop := context.WithCancel(ctx)
		p := &gatewayPart{stop: stop}
		g.parts[name] = p
		q := g.query
		q.Service, q.Gateway = name, discovery.NoGateway
		w := g.source.watch(q, func(a discovery.Answer) {
			g.mu.Lock()
			defer g.mu.Unlock()
			if pctx.Err() != nil {
				return
			}
			if p.failing = a.Err; a.Err == "" {
				p.answer, p.had = p.answer.Update(a), true
			}
			g.settle()
		})
		wg.Go(func() {
			defer stop()
			w.run(pctx)
		})
	}
}

// settle emits what follows from what is known, if that is new.
func (g *gateways) settle() {
	a := discovery.Answer{Query: g.query, Err: g.err, At: time.Now()}
	for _, name := range slices.Sorted(maps.Keys(g.names)) {
		p := g.parts[name]
		a.Err = cmp.Or(a.Err, p.failing)
		if a.Err != "" {
			break
		}
		if !p.had {
			return
		}
		a.Index = max(a.Index, p.answer.Index)
		a.Warnings = append(a.Warnings, p.answer.Warnings...)
		for _, in := range p.answer.Instances {
			if port := g.names[name]; port != 0 {
				in.Addr = netip.AddrPortFrom(in.Addr.Addr(), port)
			}
			a.Instances = append(a.Instances, in)
		}
	}
	switch {
	case a.Err != "":
		a.Instances, a.Warnings = nil, nil
	case g.names == nil:
		return
	case g.query.Near == "":
		slices.SortFunc(a.Instances, byNodeAndID)
	}
	if g.said != nil && g.said.Err == a.Err && (health{a.Instances, a.Warnings}).equal(health{g.said.Instances, g.said.Warnings}, g.query.Near != "") {
		return
	}
	g.said = &a
	g.emit(a)
}

// gatewayEntries are the configuration entries that say which services a gateway
// serves. The one of an API gateway does not; what its routes bind does.
var gatewayEntries = map[discovery.Gateway]string{
	discovery.APIGateway:         "bound-api-gateway",
	discovery.IngressGateway:     api.IngressGateway,
	discovery.TerminatingGateway: api.TerminatingGateway,
}

// gatewayEntry is what matters of them.
type gatewayEntry struct {
	Name      string
	Services  gatewayServices
	Listeners []struct {
		Port     uint16
		Services []struct{ Name string }
	}
}

// read finds the gateways that serve the service. Every mesh gateway serves all.
func (g *gateways) read(ctx context.Context, opts *api.QueryOptions) (map[string]uint16, *api.QueryMeta, error) {
	client, q := g.source.cfg.Client, g.query
	opts.Datacenter, opts.Namespace, opts.Partition = q.Datacenter, q.Namespace, q.Partition
	names := map[string]uint16{}
	if q.Gateway == discovery.MeshGateway {
		opts.Filter = fmt.Sprintf("ServiceKind == %q", api.ServiceKindMeshGateway)
		list, meta, err := client.Catalog().Services(opts)
		if err != nil {
			return nil, nil, fmt.Errorf("read mesh gateways: %w", err)
		}
		for name := range list {
			names[name] = 0
		}
		return g.checked(ctx, names, meta)
	}
	var entries []gatewayEntry
	meta, err := client.Raw().Query("/v1/config/"+gatewayEntries[q.Gateway], &entries, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s gateways: %w", q.Gateway, err)
	}
	if entries == nil {
		return nil, nil, fmt.Errorf("read %s gateways: %w: null", q.Gateway, ErrMalformed)
	}
	for _, e := range entries {
		if port, ok := e.serves(q.Service); ok {
			names[e.Name] = port
		}
	}
	return g.checked(ctx, names, meta)
}

func (g *gateways) checked(ctx context.Context, names map[string]uint16, meta *api.QueryMeta) (map[string]uint16, *api.QueryMeta, error) {
	if len(names) == 0 {
		if err := anonymous(ctx, g.source.cfg.Client, meta); err != nil {
			return nil, nil, err
		}
	}
	return names, meta, nil
}

// serves tells whether the gateway serves a service, and for an ingress gateway
// on which port of its own.
func (e gatewayEntry) serves(service string) (uint16, bool) {
	for _, l := range e.Listeners {
		for _, s := range l.Services {
			if s.Name == service || s.Name == "*" {
				return l.Port, true
			}
		}
	}
	return 0, slices.Contains(e.Services, service) || slices.Contains(e.Services, "*")
}

// gatewayServices are the names of services: a terminating gateway lists objects
// with names, a bound API gateway has an object by name.
type gatewayServices []string

// UnmarshalJSON takes either.
func (g *gatewayServices) UnmarshalJSON(data []byte) error {
	var list []struct{ Name string }
	if err := json.Unmarshal(data, &list); err == nil {
		for _, s := range list {
			*g = append(*g, s.Name)
		}
		return nil
	}
	var byName map[string]json.RawMessage
	if err := json.Unmarshal(data, &byName); err != nil {
		return err
	}
	*g = slices.Sorted(maps.Keys(byName))
	return nil
}
