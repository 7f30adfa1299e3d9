package config

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// consul takes the consul block, which CONSUL_HTTP_ADDR stands in for.
func (c *checker) consul() *Consul {
	b := c.root.one("consul")
	if b == nil {
		if c.in.Env("CONSUL_HTTP_ADDR") == "" {
			return nil
		}
		b = c.orEmpty("consul")
	}
	// or takes what the block says, else what the environment says, else the default.
	or := func(name, variable string) string {
		if v := c.in.Env(variable); !b.written(name) && v != "" {
			return v
		}
		return b.str(name)
	}
	out := &Consul{
		Address:       or("address", "CONSUL_HTTP_ADDR"),
		CACert:        or("ca_cert", "CONSUL_CACERT"),
		ClientCert:    or("client_cert", "CONSUL_CLIENT_CERT"),
		ClientKey:     or("client_key", "CONSUL_CLIENT_KEY"),
		TLSServerName: or("tls_server_name", "CONSUL_TLS_SERVER_NAME"),
		Datacenter:    b.str("datacenter"),
		Namespace:     or("namespace", "CONSUL_NAMESPACE"),
		Partition:     or("partition", "CONSUL_PARTITION"),
		KVPrefix:      strings.Trim(b.str("kv_prefix"), "/"),
		MaxStale:      b.dur("max_stale"),
		MaxStaleStart: b.dur("max_stale_start"),
	}
	if out.KVPrefix == "" {
		b.addf(b.where("kv_prefix"), "kv_prefix is the root of the KV store; name a folder of it")
	}
	out.Register = c.register(b)
	c.consulToken(b, out)
	c.consulAddress(b, out)
	if (out.ClientCert == "") != (out.ClientKey == "") {
		at := b.where("client_cert")
		if out.ClientCert == "" {
			at = b.where("client_key")
		}
		b.addf(at, "client_cert and client_key go together, one is missing")
	}
	return out
}

// consulToken finds the token. A file goes before a token of the same origin, as
// in Consul; the block goes before the environment.
func (c *checker) consulToken(b *block, out *Consul) {
	switch {
	case b.written("token") && b.written("token_file"):
		b.addf(b.where("token_file"), "token and token_file exclude each other")
	case b.written("token_file"):
		out.TokenFile = b.str("token_file")
	case b.written("token"):
		out.Token = NewSecret(b.str("token"))
	case c.in.Env("CONSUL_HTTP_TOKEN_FILE") != "":
		out.TokenFile = c.in.Env("CONSUL_HTTP_TOKEN_FILE")
	default:
		out.Token = NewSecret(c.in.Env("CONSUL_HTTP_TOKEN"))
	}
}

// consulAddress checks the address and applies CONSUL_HTTP_SSL to one that has
// no scheme.
func (c *checker) consulAddress(b *block, out *Consul) {
	at, what := b.where("address"), "address"
	if !b.written("address") && c.in.Env("CONSUL_HTTP_ADDR") != "" {
		what = "CONSUL_HTTP_ADDR"
	}
	scheme, rest, found := strings.Cut(out.Address, "://")
	if !found {
		scheme, rest = "http", out.Address
		if tls, _ := strconv.ParseBool(c.in.Env("CONSUL_HTTP_SSL")); tls {
			scheme = "https"
			out.Address = "https://" + rest
		}
	}
	switch scheme {
	case "unix":
		if !strings.HasPrefix(rest, "/") {
			b.addf(at, "%s: %q needs the absolute path of a socket, such as \"unix:///run/consul.sock\"", what, out.Address)
		}
	case "http", "https":
		u, err := url.Parse(scheme + "://" + rest)
		if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
			b.addf(at, "%s: %q is not host:port or a URL", what, out.Address)
			return
		}
		if port := u.Port(); port != "" {
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				b.addf(at, "%s: %q has no port from 1 to 65535", what, out.Address)
			}
		} else if _, _, err := net.SplitHostPort(rest); err != nil && !found {
			b.addf(at, "%s: %q lacks its port, write \"%s:8500\"", what, out.Address, rest)
		}
	default:
		b.addf(at, "%s: %q has the scheme %q, must be http, https or unix", what, out.Address, scheme)
	}
}
