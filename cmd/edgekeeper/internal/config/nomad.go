package config

import (
	"net/url"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// Nomad says how to reach Nomad, for nomad_service blocks. What the file leaves
// out was taken from the environment.
type Nomad struct {
	Address       string // http://… or https://…
	Token         Secret // empty where TokenFile is not
	TokenFile     string // to be read again for every request
	Region        string
	Namespace     string
	CACert        string // file
	ClientCert    string // file, with ClientKey
	ClientKey     string // file
	TLSServerName string
	MaxStaleStart time.Duration // age up to which a start without Nomad uses what was known
}

var nomadType = &blockType{
	name: "nomad", single: true,
	doc: "The Nomad that is asked for native services (`nomad_service` blocks), and about real servers which it had registered in Consul and which Consul lists no more: those that it stops are never [held](operations.md#held). The block may be left out where `NOMAD_ADDR` is set. What the block leaves out comes from the environment variables that every Nomad tool reads. " +
		"The token needs `namespace \"…\" { capabilities = [\"read-job\"] }` and, with `nomad_service` blocks, `node { policy = \"read\" }`.",
	args: []argument{
		{name: "address", kind: text, def: "http://127.0.0.1:4646", defText: "`NOMAD_ADDR`, else `\"http://127.0.0.1:4646\"`", doc: "`http://…` or `https://…`."},
		{name: "token", kind: secret, defText: "`NOMAD_TOKEN`", doc: "ACL token. Never shown."},
		{name: "token_file", kind: text, doc: "File with the ACL token, read again for every request. Not with `token`."},
		{name: "region", kind: text, defText: "`NOMAD_REGION`, else the agent's own", doc: "Region."},
		{name: "namespace", kind: text, defText: "`NOMAD_NAMESPACE`, else `default`", doc: "Namespace of services that name none."},
		{name: "ca_cert", kind: text, defText: "`NOMAD_CACERT`", doc: "PEM file with the authorities that may sign the agent's certificate."},
		{name: "client_cert", kind: text, defText: "`NOMAD_CLIENT_CERT`", doc: "PEM file with our certificate. Needs `client_key`."},
		{name: "client_key", kind: text, defText: "`NOMAD_CLIENT_KEY`", doc: "PEM file with the key of `client_cert`."},
		{name: "tls_server_name", kind: text, defText: "`NOMAD_TLS_SERVER_NAME`", doc: "Name to verify in the agent's certificate in place of the address."},
		{name: "max_stale_start", kind: duration, def: "168h", lo: 0, hi: 366 * maxDelay, doc: "As `max_stale_start` of `consul`."},
	},
	sample: `nomad {
  address    = "https://127.0.0.1:4646"
  token_file = "/etc/edgekeeper.d/nomad-token"
  ca_cert    = "/etc/edgekeeper.d/nomad-ca.pem"
}`,
}

var nomadServiceType = &blockType{
	name: "nomad_service", label: "the service's name in Nomad",
	doc: "Takes instances of a native Nomad service (`provider = \"nomad\"`) into the pool. Nomad's registrations carry no health, so a `check` block should judge them. While a node drains (`nomad node drain`) its instances drain too, as in maintenance; on a node that is down they are critical. " +
		"A tag `edgekeeper_weight=5` is the weight.",
	args: []argument{
		{name: "tags", kind: texts, doc: "Tags that an instance must carry, all of them."},
		{name: "namespace", kind: text, defText: "that of the `nomad` block", doc: "Nomad namespace."},
		{name: "filter", kind: text, doc: "Nomad filter expression, which Nomad evaluates: `Datacenter == \"dc1\"`."},
		{name: "port", kind: number, def: "0", defText: "the instance's own", lo: 1, hi: maxPort, doc: "Port that replaces the instance's."},
	},
}

func (c *checker) nomad() *Nomad {
	b := c.root.one("nomad")
	if b == nil {
		if c.in.Env("NOMAD_ADDR") == "" {
			return nil
		}
		b = c.orEmpty("nomad")
	}
	or := func(name, variable string) string {
		if v := c.in.Env(variable); !b.written(name) && v != "" {
			return v
		}
		return b.str(name)
	}
	out := &Nomad{
		Address: or("address", "NOMAD_ADDR"), Region: or("region", "NOMAD_REGION"), Namespace: or("namespace", "NOMAD_NAMESPACE"),
		CACert: or("ca_cert", "NOMAD_CACERT"), ClientCert: or("client_cert", "NOMAD_CLIENT_CERT"), ClientKey: or("client_key", "NOMAD_CLIENT_KEY"),
		TLSServerName: or("tls_server_name", "NOMAD_TLS_SERVER_NAME"), TokenFile: b.str("token_file"), MaxStaleStart: b.dur("max_stale_start"),
	}
	switch {
	case b.written("token") && b.written("token_file"):
		b.addf(b.where("token_file"), "token and token_file exclude each other")
	case b.written("token"):
		out.Token = NewSecret(b.str("token"))
	case !b.written("token_file"):
		out.Token = NewSecret(c.in.Env("NOMAD_TOKEN"))
	}
	if u, err := url.Parse(out.Address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		b.addf(b.where("address"), "address: %q is not a URL such as \"http://127.0.0.1:4646\"", out.Address)
	}
	if (out.ClientCert == "") != (out.ClientKey == "") {
		at := b.where("client_cert")
		if out.ClientCert == "" {
			at = b.where("client_key")
		}
		b.addf(at, "client_cert and client_key go together, one is missing")
	}
	return out
}

// nomadSelectors reads the nomad_service blocks of a virtual server.
func (c *checker) nomadSelectors(b *block, s *discovery.Spec) []discovery.Selector {
	var out []discovery.Selector
	blocks := b.all("nomad_service")
	for _, v := range blocks {
		if c.root.one("nomad") == nil && c.in.Env("NOMAD_ADDR") == "" {
			v.addf(v.header, "%s has no Nomad to come from: write a nomad block, or set NOMAD_ADDR", v.name())
		}
		sel := discovery.Selector{
			Query: discovery.Query{Source: discovery.Nomad, Service: v.label, Namespace: v.str("namespace"), Filter: v.str("filter")},
			Tags:  plain(v.list("tags")), Port: uint16(v.num("port")),
		}
		if sel.Port != 0 && s.Service.Addr.IsValid() && sel.Port != s.Service.Port {
			c.portMismatch(v, v.where("port"), s.Forward, sel.Port, s.Service.Port)
		}
		for i, other := range out {
			if other.Query == sel.Query && other.Port == sel.Port && slices.Equal(other.Tags, sel.Tags) {
				v.addf(v.header, "%s asks the same as the block at %s", v.name(), place(blocks[i].header))
				break
			}
		}
		out = append(out, sel)
	}
	return out
}
