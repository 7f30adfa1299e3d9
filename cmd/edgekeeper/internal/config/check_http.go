package config

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// request takes the arguments of an http or https check.
func (c *checker) request(k *block, spec *discovery.CheckSpec) {
	h := &spec.HTTP
	*h = discovery.HTTPSpec{
		Version2: k.str("http_version") == "2", Method: k.str("method"), Path: k.str("path"), Host: k.hostName(),
		RequestBody: k.str("request_body"), Body: k.pattern("body"), BodyNot: k.pattern("body_not"), Digest: strings.ToLower(k.str("digest")),
	}
	if !strings.HasPrefix(h.Path, "/") || strings.ContainsAny(h.Path, " #") {
		k.addf(k.where("path"), "path: %q must begin with a slash and hold no space and no #", h.Path)
	}
	for _, name := range []string{"body", "body_not", "digest"} {
		if k.written(name) && h.Method == http.MethodHead {
			k.addf(k.where(name), "%s cannot match: a HEAD request has none in its answer", name)
		}
	}
	if sum, err := hex.DecodeString(h.Digest); k.written("digest") && (err != nil || len(sum) != 16) {
		k.addf(k.where("digest"), "digest: %q is not an MD5 digest, 32 hexadecimal digits", k.str("digest"))
	}
	if k.written("request_body") && h.Method != http.MethodPost && !k.bad("method") {
		k.addf(k.where("request_body"), "request_body needs method = \"POST\"")
	}
	c.headers(k, h)
	c.status(k, h)
}

// hostName takes the host argument.
func (b *block) hostName() string {
	host := b.str("host")
	if host != "" && (!httpguts.ValidHostHeader(host) || strings.Contains(host, "/")) {
		b.addf(b.where("host"), "host: %q is no host name", host)
	}
	return host
}

// headers takes "Name: value".
func (c *checker) headers(k *block, h *discovery.HTTPSpec) {
	for _, l := range k.list("headers") {
		name, value, ok := strings.Cut(l.text, ":")
		switch {
		case !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(strings.TrimSpace(value)):
			k.addf(l.at, "headers: %q is not a header, such as \"X-Check: 1\"", l.text)
			return
		case strings.EqualFold(name, "Host"):
			k.addf(l.at, "headers: write the Host header as host = %q", strings.TrimSpace(value))
		case strings.EqualFold(name, "Content-Length"), strings.EqualFold(name, "Transfer-Encoding"), strings.EqualFold(name, "Connection"):
			k.addf(l.at, "headers: %s is the check's own", name)
		}
	}
	h.Headers = discovery.MakeList(plain(k.list("headers")))
}

// status takes "200", "200-299" or several of them with commas in between.
func (c *checker) status(k *block, h *discovery.HTTPSpec) {
	at, text := k.where("status"), k.str("status")
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		low, high, ranged := strings.Cut(part, "-")
		if !ranged {
			high = low
		}
		from, err1 := strconv.Atoi(strings.TrimSpace(low))
		to, err2 := strconv.Atoi(strings.TrimSpace(high))
		switch {
		case err1 != nil || err2 != nil:
			k.addf(at, "status: %q is not a status or a range of them, such as \"200\" or \"200-299\"", part)
		case from < 100 || to > 599:
			k.addf(at, "status: %q must lie within 100-599", part)
		case from > to:
			k.addf(at, "status: %q is empty, its first number is the larger one", part)
		}
		h.Status.Add(from, to)
	}
}
