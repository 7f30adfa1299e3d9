package config

import (
	"slices"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// sources says which catalogs are configured.
type sources struct{ consul, file bool }

func (c *checker) sources() sources {
	return sources{
		consul: c.root.one("consul") != nil || c.in.Env("CONSUL_HTTP_ADDR") != "",
		file:   c.root.one("file_catalog") != nil,
	}
}

// consulOnly are the arguments that only Consul understands.
var consulOnly = []string{"datacenter", "namespace", "partition", "peer", "filter", "near"}

func (c *checker) selectors(b *block, s *discovery.Spec, have sources) []discovery.Selector {
	var out []discovery.Selector
	blocks := b.all("service")
	for _, v := range blocks {
		sel := discovery.Selector{
			Query: c.query(v, have),
			Tags:  plain(v.list("tags")),
			Port:  uint16(v.num("port")),
		}
		c.refine(v, &sel)
		if sel.Port != 0 && identified(s) && sel.Port != s.Service.Port {
			c.portMismatch(v, v.where("port"), s.Forward, sel.Port, s.Service.Port)
		}
		for i, other := range out {
			if slices.Equal(other.Queries(), sel.Queries()) && other.Port == sel.Port && slices.Equal(other.Tags, sel.Tags) {
				v.addf(v.header, "%s asks the same as the block at %s", v.name(), place(blocks[i].header))
				break
			}
		}
		out = append(out, sel)
	}
	return out
}

// query reads what a block asks of a catalog about the service in its label.
func (c *checker) query(v *block, have sources) discovery.Query {
	q := discovery.Query{
		Source:     c.sourceOf(v, have),
		Service:    v.label,
		Datacenter: v.str("datacenter"),
		Namespace:  v.str("namespace"),
		Partition:  v.str("partition"),
		Peer:       v.str("peer"),
		Filter:     v.str("filter"),
	}
	if v.kind.arg("near") != nil {
		q.Near = v.str("near")
	}
	if q.Source == discovery.File && !v.bad("source") && (have.file || have.consul) {
		only := consulOnly
		if v.kind == serviceType {
			only = slices.Concat(only, consulRefined())
		}
		for _, name := range only {
			if v.written(name) {
				v.addf(v.where(name), "%s is for source \"consul\", %s comes from the file catalog", name, v.name())
			}
		}
	}
	return q
}

// sourceOf finds the catalog of a service block.
func (c *checker) sourceOf(v *block, have sources) discovery.Source {
	source := v.str("source")
	switch {
	case source == "" && !v.bad("source") && !have.consul && !have.file:
		v.addf(v.header, "%s has no catalog to come from: write a consul or a file_catalog block, or set CONSUL_HTTP_ADDR", v.name())
	case source == "consul" && !have.consul:
		v.addf(v.where("source"), "source is \"consul\", but there is no consul block and CONSUL_HTTP_ADDR is not set")
	case source == "file" && !have.file:
		v.addf(v.where("source"), "source is \"file\", but there is no file_catalog block")
	}
	if source == "file" || source == "" && !have.consul {
		return discovery.File
	}
	return discovery.Consul
}
