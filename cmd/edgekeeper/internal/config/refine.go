package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// refine reads what a service block asks of Consul beside the service's name.
func (c *checker) refine(v *block, sel *discovery.Selector) {
	if sel.Query.Source != discovery.Consul {
		return // said of each argument
	}
	q := &sel.Query
	q.Tagged = v.str("tagged_address")
	q.NodeMeta = c.nodeMeta(v)
	q.Checks, q.Ignore = v.words("checks"), v.words("ignore_checks")
	q.Gateway, _ = discovery.ParseGateway(v.str("gateway"))
	if q.Prepared = v.str("prepared_query"); q.Prepared != "" {
		q.Poll = v.dur("poll_interval")
		excludes(v, "prepared_query", "the query's definition says that", "gateway", "failover", "peer", "filter", "node_meta", "partition", "namespace")
	} else if v.written("poll_interval") && !v.bad("prepared_query") {
		v.addf(v.where("poll_interval"), "poll_interval has no effect without prepared_query: Consul says at once when a service changes")
	}
	if q.Gateway != discovery.NoGateway {
		excludes(v, "gateway", "a gateway belongs to this cluster's mesh", "peer")
	}
	for _, l := range v.list("ignore_checks") {
		if strings.HasPrefix(l.text, "_node_maintenance") || strings.HasPrefix(l.text, "_service_maintenance") {
			v.addf(l.at, "ignore_checks: %q is maintenance, which always counts", l.text)
		}
		if slices.ContainsFunc(v.list("checks"), func(o located) bool { return o.text == l.text }) {
			v.addf(l.at, "ignore_checks: %q is listed in checks too", l.text)
		}
	}
	sel.Failover = c.failover(v, *q)
}

// excludes reports arguments that have no effect beside another one.
func excludes(v *block, name, why string, others ...string) {
	for _, other := range others {
		if v.written(other) {
			v.addf(v.where(other), "%s and %s exclude each other: %s", name, other, why)
		}
	}
}

// words makes one value of a list.
func (b *block) words(name string) string { return discovery.Lines(b.lines(name)) }

// lines takes the words of a list, without those that cannot be a line.
func (b *block) lines(name string) []string {
	var out []string
	for _, l := range b.list(name) {
		if strings.ContainsFunc(l.text, func(r rune) bool { return r < ' ' }) {
			b.addf(l.at, "%s holds a control character", name)
			continue
		}
		out = append(out, l.text)
	}
	return out
}

// metaKey is what Consul takes as a key of metadata (structs.ValidateMetaKey).
var metaKey = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

func (c *checker) nodeMeta(v *block) string {
	seen := map[string]bool{}
	for _, l := range v.list("node_meta") {
		key, _, ok := strings.Cut(l.text, "=")
		switch {
		case !ok || !metaKey.MatchString(key):
			v.addf(l.at, "node_meta: %q is not key=value, such as \"rack=r1\"", l.text)
		case seen[key]:
			v.addf(l.at, "node_meta: %q has a second value, and no node has two", key)
		}
		seen[key] = true
	}
	return v.words("node_meta")
}

// failover makes the queries of the other datacenters.
func (c *checker) failover(v *block, first discovery.Query) []discovery.Query {
	if v.written("failover") && v.written("peer") {
		v.addf(v.where("failover"), "failover and peer exclude each other: a peer is no datacenter of this cluster")
		return nil
	}
	var out []discovery.Query
	for _, l := range v.list("failover") {
		q := first
		q.Datacenter = l.text
		if q == first || slices.Contains(out, q) {
			v.addf(l.at, "failover: %q is asked already", l.text)
			continue
		}
		out = append(out, q)
	}
	return out
}
