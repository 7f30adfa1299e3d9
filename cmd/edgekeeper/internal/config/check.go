package config

import (
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/edgekeeper/edgekeeper/discovery"
)

func (c *checker) checks(b *block, s *discovery.Spec) []discovery.CheckSpec {
	var out []discovery.CheckSpec
	var from []*block
	for _, k := range b.all("check") {
		spec := discovery.CheckSpec{
			Interval:   k.dur("interval"),
			Timeout:    k.dur("timeout"),
			Retries:    int(k.num("retries")),
			RetryDelay: k.dur("retry_delay"),
			Rise:       int(k.num("rise")),
			Port:       uint16(k.num("port")),
		}
		if k.label == "http" || k.label == "https" {
			c.request(k, &spec)
		}
		if spec.Timeout > spec.Interval && !k.bad("interval") && !k.bad("timeout") {
			at := k.where("timeout")
			if !k.written("timeout") {
				at = k.where("interval")
			}
			k.addf(at, "timeout %s is longer than interval %s: attempts would overlap", short(spec.Timeout), short(spec.Interval))
		}
		if spec.Port == 0 && s.Service.Addr.IsValid() && s.Service.Port == 0 && !k.bad("port") {
			k.addf(k.header, "%s needs port: the virtual server is for every port", k.name())
		}
		for i, other := range out {
			if other == spec {
				k.addf(k.header, "%s is the same as the one at %s", k.name(), place(from[i].header))
				break
			}
		}
		out, from = append(out, spec), append(from, k)
	}
	return out
}

// request takes the arguments of an http or https check.
func (c *checker) request(k *block, spec *discovery.CheckSpec) {
	spec.Type = discovery.HTTP
	spec.TLS = k.label == "https"
	spec.Method = k.str("method")
	spec.Path = k.str("path")
	spec.Host = k.str("host")
	spec.BodyPattern = k.str("body")
	if spec.TLS {
		spec.SkipVerify = k.flag("tls_skip_verify")
		spec.ServerName = k.str("tls_server_name")
	}
	if !strings.HasPrefix(spec.Path, "/") || strings.ContainsAny(spec.Path, " #") {
		k.addf(k.where("path"), "path: %q must begin with a slash and hold no space and no #", spec.Path)
	}
	if spec.Host != "" && (!httpguts.ValidHostHeader(spec.Host) || strings.Contains(spec.Host, "/")) {
		k.addf(k.where("host"), "host: %q is no host name", spec.Host)
	}
	if _, err := regexp.Compile(spec.BodyPattern); err != nil {
		k.addf(k.where("body"), "body: %v", err)
	}
	if spec.BodyPattern != "" && spec.Method == "HEAD" {
		k.addf(k.where("body"), "body cannot match: a HEAD request has none in its answer")
	}
	c.status(k, spec)
}

// status takes "200" or "200-299".
func (c *checker) status(k *block, spec *discovery.CheckSpec) {
	low, high, ranged := strings.Cut(k.str("status"), "-")
	if !ranged {
		high = low
	}
	from, err1 := strconv.Atoi(strings.TrimSpace(low))
	to, err2 := strconv.Atoi(strings.TrimSpace(high))
	at := k.where("status")
	switch {
	case err1 != nil || err2 != nil:
		k.addf(at, "status: %q is not a status or a range of them, such as \"200\" or \"200-299\"", k.str("status"))
	case from < 100 || to > 599:
		k.addf(at, "status: %q must lie within 100-599", k.str("status"))
	case from > to:
		k.addf(at, "status: %q is empty, its first number is the larger one", k.str("status"))
	}
	spec.StatusLow, spec.StatusHigh = from, to
}
