package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/inputs"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// Host is what LoadOn asks about the host that a configuration is for. Nothing
// of it changes the host.
type Host interface {
	// Interface reports whether there is a network interface of that name.
	Interface(name string) error
	// Holder names the interface that has the address although no director has put
	// it there; empty when none has, or when it may be a director's.
	Holder(cfg *Config, addr netip.Addr) string
	// Module reports whether a kernel module is there or could be loaded.
	Module(name string) error
	// Tunnel reports whether the kernel's IPVS has that kind of tunnel.
	Tunnel(lvs.Tunnel) error
	// Folder reports whether a folder can be read.
	Folder(path string) error
	// Catalog asks Consul each query, and its KV, once. What fails has an error;
	// kv is also that of a Consul that cannot be reached at all.
	Catalog(cfg *Config, queries []discovery.Query) (failed map[discovery.Query]error, kv error)
}

// LoadOn is Load, which then asks the host whether it can do what is configured;
// what it cannot do are mistakes, too; nil asks nobody. All that the configuration
// depends on, but for the host's answers, is read through in.
func LoadOn(path string, in *inputs.Reader, host Host) (*Config, error) {
	return load(path, in, host)
}

// CheckOn is Check, which then asks the host as LoadOn does.
func CheckOn(body *hclsyntax.Body, in *inputs.Reader, host Host) (*Config, error) {
	return check(body, in, host)
}

// on checks a good configuration against its host.
func (c *checker) on(h Host, cfg *Config) {
	c.liveRouters(h, cfg)
	c.liveServers(h, cfg)
	if b := c.orEmpty("ipvs").one("connection_sync"); b != nil {
		c.device(h, b, "interface")
	}
	if b := c.root.one("file_catalog"); b != nil {
		if err := h.Folder(b.str("path")); err != nil {
			b.addf(b.where("path"), "path: %v", err)
		}
	}
	c.liveCatalog(h, cfg)
}

// device checks the interface that an argument names.
func (c *checker) device(h Host, b *block, name string) {
	if b.str(name) == "" {
		return
	}
	if err := h.Interface(b.str(name)); err != nil {
		b.addf(b.where(name), "%s: %v", name, err)
	}
}

func (c *checker) liveRouters(h Host, cfg *Config) {
	for _, b := range c.root.all("vrrp") {
		c.device(h, b, "interface")
		for _, v := range b.all("virtual_address") {
			if b.one("vmac") == nil { // else the device may be one of ours to come
				c.device(h, v, "device")
			}
			text, _, _ := strings.Cut(v.label, "/") // with its length, or a single address
			addr, err := netip.ParseAddr(text)
			if err != nil {
				continue
			}
			if dev := h.Holder(cfg, addr); dev != "" {
				v.addf(v.header, "virtual_address %s is on %s of this host already, and not by a director: take it off there, or it stays when this host is a backup", addr, dev)
			}
		}
	}
}

func (c *checker) liveServers(h Host, cfg *Config) {
	blocks := c.root.all("virtual_server")
	if len(blocks) == 0 {
		return
	}
	if err := h.Module("ip_vs"); err != nil {
		blocks[0].addf(blocks[0].header, "IPVS: %v", err)
		return // its schedulers are no better
	}
	for _, b := range blocks {
		if err := h.Module("ip_vs_" + b.str("scheduler")); err != nil {
			b.addf(b.where("scheduler"), "scheduler: %v", err)
		}
		t := b.one("tunnel")
		i := slices.IndexFunc(cfg.VirtualServers, func(s discovery.Spec) bool { return s.Name == b.label })
		if t == nil || i < 0 {
			continue
		}
		if err := h.Tunnel(cfg.VirtualServers[i].Tunnel); err != nil {
			t.addf(t.where("type"), "type: %v", err)
		}
	}
}

func (c *checker) liveCatalog(h Host, cfg *Config) {
	if cfg.Consul == nil {
		return
	}
	type place struct {
		at      *block
		queries []discovery.Query
	}
	var places []place
	var all []discovery.Query
	add := func(blocks []*block, selectors []discovery.Selector) {
		for i, b := range blocks {
			if i >= len(selectors) {
				return
			}
			qs := slices.DeleteFunc(selectors[i].Queries(), func(q discovery.Query) bool { return q.Source != discovery.Consul })
			places, all = append(places, place{b, qs}), append(all, qs...)
		}
	}
	for _, b := range c.root.all("virtual_server") {
		i := slices.IndexFunc(cfg.VirtualServers, func(s discovery.Spec) bool { return s.Name == b.label })
		if i < 0 {
			continue
		}
		s := cfg.VirtualServers[i]
		add(b.all("service"), s.Selectors)
		if f := b.one("fallback"); f != nil && s.Fallback != nil {
			add(f.all("service"), s.Fallback.Selectors)
		}
	}
	failed, kv := h.Catalog(cfg, all)
	if kv != nil {
		b := c.orEmpty("consul")
		at := b.where("address")
		if c.root.one("consul") == nil {
			at = c.root.header
		}
		c.root.addf(at, "consul: %v", kv)
	}
	for _, p := range places {
		for _, q := range p.queries {
			if err := failed[q]; err != nil {
				p.at.addf(p.at.header, "%s: %v", p.at.name(), err)
				break
			}
		}
	}
}
