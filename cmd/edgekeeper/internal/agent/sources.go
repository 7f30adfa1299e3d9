package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/discovery/consul"
	"github.com/edgekeeper/edgekeeper/discovery/file"
	"github.com/edgekeeper/edgekeeper/discovery/nomad"
)

// querySource is a catalog that answers queries.
type querySource interface {
	Set(queries []discovery.Query)
	Run(ctx context.Context, emit func(discovery.Answer)) error
}

// kvSource tells the live settings.
type kvSource interface {
	Run(ctx context.Context, emit func(discovery.KVAnswer)) error
}

// kvStore holds the live settings.
type kvStore interface {
	Put(ctx context.Context, key, value string) (before string, had bool, err error)
	Delete(ctx context.Context, key string) (before string, had bool, err error)
}

// sourceSet is what runs for one configuration.
type sourceSet struct {
	consul   querySource  // nil: no Consul
	file     querySource  // nil: no file catalog
	nomad    querySource  // nil: no Nomad
	stops    nomad.Config // of the same Nomad
	settings kvSource
	kv       kvStore
	kvWhere  string
	shared   bool // other directors read the same KV
	queries  []discovery.Query

	registrar *consul.Registrar // nil: nothing is registered
	before    *consul.Registrar // of the configuration before, to be taken back first; nil: nothing is
}

// names lists everything that should speak once before the first table.
func (s sourceSet) names() []string {
	out := []string{"kv"}
	for _, q := range s.queries {
		out = append(out, queryName(q))
	}
	return out
}

// queryName is how a query is called in status and events.
func queryName(q discovery.Query) string {
	parts := []string{q.Source.String(), "service", q.Service}
	if q.Node != "" {
		parts = []string{q.Source.String(), "node", q.Node}
	}
	words := func(lines string) string { return strings.Join(discovery.Split(lines), ", ") }
	for _, p := range []struct{ name, value string }{
		{"prepared query", q.Prepared}, {"gateway", q.Gateway.String()}, {"tagged address", q.Tagged},
		{"node meta", words(q.NodeMeta)}, {"checks", words(q.Checks)}, {"ignoring", words(q.Ignore)},
		{"datacenter", q.Datacenter}, {"namespace", q.Namespace}, {"partition", q.Partition},
		{"peer", q.Peer}, {"filter", q.Filter}, {"near", q.Near},
	} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	return strings.Join(parts, " ")
}

// watch tells the running sources which queries are wanted now.
func (a *agent) watch() {
	a.source.queries = queriesOf(a.cfg)
	for _, s := range []struct {
		querySource
		kind discovery.Source
	}{{a.source.consul, discovery.Consul}, {a.source.file, discovery.File}, {a.source.nomad, discovery.Nomad}} {
		if s.querySource != nil {
			s.Set(slices.DeleteFunc(slices.Clone(a.source.queries), func(q discovery.Query) bool { return q.Source != s.kind }))
		}
	}
	maps.DeleteFunc(a.known, func(q discovery.Query, _ discovery.Known) bool { return !slices.Contains(a.source.queries, q) })
	maps.DeleteFunc(a.firstError, func(q discovery.Query, _ string) bool { return !slices.Contains(a.source.queries, q) })
}

// queriesOf lists the distinct queries of a configuration.
func queriesOf(cfg *config.Config) []discovery.Query {
	var out []discovery.Query
	for _, spec := range cfg.VirtualServers {
		for _, sel := range spec.AllSelectors() {
			for _, q := range sel.Queries() {
				if !slices.Contains(out, q) {
					out = append(out, q)
				}
			}
		}
	}
	for _, t := range cfg.Trackers {
		if t.Consul != nil && !slices.Contains(out, t.Consul.Query) {
			out = append(out, t.Consul.Query)
		}
	}
	for _, v := range cfg.Instances {
		if v.Peers != nil && !slices.Contains(out, v.Peers.Query) {
			out = append(out, v.Peers.Query)
		}
	}
	return out
}

// makeSources makes the sources of a configuration. It starts nothing and changes
// nothing, so a configuration that it fails on can be refused.
func (a *agent) makeSources(cfg *config.Config) (sourceSet, error) {
	var set sourceSet
	if c := cfg.Consul; c != nil {
		client, err := consul.NewClient(clientConfig(c))
		if err != nil {
			return set, err
		}
		cc := consul.Config{Client: client, MaxStale: c.MaxStale, Log: a.log}
		set.consul, set.kv, set.settings = consul.NewSource(cc), consul.NewWriter(client, c.KVPrefix), consul.NewKV(cc, c.KVPrefix, a.knownStore())
		set.kvWhere, set.shared = "consul "+c.KVPrefix+"/", true
		set.registrar = a.makeRegistrar(cfg, consul.RegistrarConfig{Client: client})
	} else {
		path := filepath.Join(cfg.StateDir, "kv.json")
		kv := file.NewKV(path, a.log)
		set.kv, set.settings, set.kvWhere = kv, kv, path
	}
	if n := cfg.Nomad; n != nil {
		client, err := nomadClient(n)
		if err != nil {
			return set, err
		}
		set.stops = nomad.Config{Client: client, TokenFile: n.TokenFile, Log: a.log}
		set.nomad = nomad.NewSource(set.stops)
	}
	if f := cfg.FileCatalog; f != nil {
		set.file = file.NewCatalog(f.Path, a.log)
	}
	return set, nil
}

// startSources runs sources until stopSources is called or the director stops.
func (a *agent) startSources(set sourceSet) {
	ctx, stop := context.WithCancel(a.work)
	a.source, a.stopSources = set, stop
	answers := func(ans discovery.Answer) { a.post(ctx, func() { a.answered(ctx, ans) }) }
	a.run1(ctx, "kv", func() error {
		return set.settings.Run(ctx, func(kv discovery.KVAnswer) { a.post(ctx, func() { a.settings(ctx, kv) }) })
	})
	for name, s := range map[string]querySource{"consul catalog": set.consul, "file catalog": set.file, "nomad services": set.nomad} {
		if s == nil {
			continue
		}
		heard := answers
		if set.stops.Client != nil {
			stops := nomad.NewStops(set.stops, answers)
			heard = func(ans discovery.Answer) { stops.Emit(ctx, ans) }
		}
		a.run1(ctx, name, func() error { return s.Run(ctx, heard) })
	}
	a.watch()
	a.startRegistrar(ctx, set.before, set.registrar)
}

// run1 runs one source; one that ends by itself is an event, and what it said
// last stands.
func (a *agent) run1(ctx context.Context, name string, run func() error) {
	a.running.Go(func() {
		if err := run(); err != nil && !errors.Is(err, context.Canceled) {
			a.post(ctx, func() { a.event("catalog", name, "stopped: "+err.Error()+"; its last answers stand") })
		}
	})
}

func clientConfig(c *config.Consul) consul.ClientConfig {
	return consul.ClientConfig{
		Address: c.Address, Datacenter: c.Datacenter, Namespace: c.Namespace, Partition: c.Partition,
		Token: c.Token.Reveal(), TokenFile: c.TokenFile,
		CAFile: c.CACert, CertFile: c.ClientCert, KeyFile: c.ClientKey, ServerName: c.TLSServerName,
	}
}

// sameSources reports whether the sources of two configurations are the same
// but for their queries.
func sameSources(a, b *config.Config) bool {
	return reflect.DeepEqual(a.Consul, b.Consul) && reflect.DeepEqual(a.Nomad, b.Nomad) && reflect.DeepEqual(a.FileCatalog, b.FileCatalog)
}

// answered takes what a catalog says.
func (a *agent) answered(ctx context.Context, ans discovery.Answer) {
	if ctx.Err() != nil || !slices.Contains(a.source.queries, ans.Query) {
		return // from a source, or of a query, that is no longer wanted
	}
	name := queryName(ans.Query)
	was, had := a.known[ans.Query]
	a.spoken[name] = true
	switch {
	case ans.Err != "" && was.Err != ans.Err && a.firstError[ans.Query] != ans.Err:
		a.event("catalog", name, ans.Err+"; the last good answer stands")
	case ans.Err == "" && was.Err != "":
		a.event("catalog", name, fmt.Sprintf("answers again, index %d", ans.Index))
	}
	if ans.Anew && had {
		a.event("catalog", name, fmt.Sprintf("has lost its data (index %d, it was %d); real servers that it lacks are held until they are registered again", ans.Index, was.Index))
	}
	for _, w := range ans.Warnings {
		if !slices.Contains(was.Warnings, w) {
			a.event("catalog", name, w)
		}
	}
	if ans.Err != "" && !had {
		a.unanswered(ans.Query, ans.Err)
	} else {
		a.known[ans.Query] = was.Update(ans)
		delete(a.firstError, ans.Query)
	}
	a.routers.findPeers()
	a.due.answered(a.cfg.VirtualServers, ans.Query)
	a.learned = true
	a.settle()
}

// settings takes what the KV says.
func (a *agent) settings(ctx context.Context, kv discovery.KVAnswer) {
	if ctx.Err() != nil {
		return
	}
	a.spoken["kv"] = true
	if kv.Err != "" {
		if kv.Err != a.kvError {
			a.event("kv", a.source.kvWhere, kv.Err+"; the last good settings stand")
		}
		a.kvError = kv.Err
		a.unset()
		a.settle()
		return
	}
	if a.kvError != "" {
		a.event("kv", a.source.kvWhere, fmt.Sprintf("answers again, index %d", kv.Index))
	}
	a.kvError = ""
	a.retain(kv)
	a.learned = true
	a.override()
	a.settleFor(0) // settings come all at once, and one that was ordered is waited for
}

// override reads the settings and passes on what is not the pools' business.
func (a *agent) override() {
	before, refused := a.overrides, a.rejected
	a.overrides, a.rejected = discovery.ParseOverrides(before, a.pairs.Pairs)
	for _, r := range a.rejected {
		if !slices.Contains(refused, r) {
			a.event("kv", r.Key, r.String())
		}
	}
	a.due.overridden(before, a.overrides)
	a.routers.priorities()
}
