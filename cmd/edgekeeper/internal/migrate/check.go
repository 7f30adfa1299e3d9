package migrate

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkerKinds are the blocks of a real server that check it.
var checkerKinds = []string{"TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "DNS_CHECK", "MISC_CHECK", "UDP_CHECK", "PING_CHECK", "FILE_CHECK"}

// checker is a check on its way: several blocks for several urls.
type checker struct {
	at    position
	times timing
	deflt timing // of its kind
	port  int    // 0: the real server's
	alpha tri
	nodes []*node
	// common are the arguments of all blocks; noPort says that they take none.
	common []attr
	noPort bool
	// wholeLoop says that an attempt may take all of the interval, whatever the
	// real server's connect_timeout.
	wholeLoop bool
}

// defaultTimes are keepalived's, before the kind of a checker has its own.
var defaultTimes = timing{loop: time.Minute, retryDelay: time.Second, timeout: 5 * time.Second, retries: 1}

// checker takes a checker of a real server.
func (t *translator) checker(v *virtualServer, r *realServer, s statement) {
	c := &checker{at: s.At, times: noTimes(), deflt: defaultTimes}
	w := words{
		"connect_port": func(s statement) {
			if n, ok := t.integer(s, 1, 1, 65535); ok {
				c.port = n
			}
		},
		"connect_ip": func(s statement) {
			if a, err := netip.ParseAddr(s.Arg(1)); err != nil || a.Zone() != "" {
				t.bad(s, 1, "an address")
			} else if a != r.addr {
				c.common = append(c.common, attr{name: "address", value: a.String(), at: s.At})
			}
		},
		"bindto": func(s statement) {
			if a, err := netip.ParseAddr(s.Arg(1)); err != nil || a.Zone() != "" {
				t.bad(s, 1, "an address")
			} else {
				c.common = append(c.common, attr{name: "source_address", value: a.String(), at: s.At})
			}
		},
		"fwmark": func(s statement) {
			if n, ok := t.integer(s, 1, 0, 1<<32-1); ok && n > 0 {
				c.common = append(c.common, attr{name: "mark", value: n, at: s.At})
			}
		},
		"alpha": func(s statement) {
			if on, ok := t.flag(s); ok {
				c.alpha = triOf(on)
			}
		},
	}
	t.timeWords(w, &c.times)
	known := map[string]string{
		"warmup": "", "log_all_failures": "",
		"bind_if": "the kernel chooses the interface of checks; mark and a routing rule can do that", "bind_port": "the kernel chooses the source port of checks",
	}
	if retry := w["nb_get_retry"]; s.Name() != "HTTP_GET" && s.Name() != "SSL_GET" {
		w["nb_get_retry"] = func(l statement) {
			t.differ(l.At, "nb_get_retry: keepalived 2 does not know it in %s, and retries once; it is taken for retry", s.Name())
			retry(l)
		}
	}
	switch s.Name() {
	case "TCP_CHECK":
		c.nodes = []*node{{kind: "check", labels: []string{"tcp"}, at: s.At}}
		t.each(s.Name(), s.Block, w, known)
	case "HTTP_GET", "SSL_GET":
		t.httpCheck(v, r, c, s, w, known)
	default:
		if !t.otherCheck(v, r, c, s, w, known) {
			return
		}
	}
	if len(c.nodes) > 0 {
		r.checks = append(r.checks, c)
	}
}

// httpCheck takes HTTP_GET and SSL_GET: a check for each url.
func (t *translator) httpCheck(v *virtualServer, r *realServer, c *checker, s statement, w words, known map[string]string) {
	c.deflt.retryDelay = 3 * time.Second
	host := ""
	sni, name := false, ""
	w["virtualhost"] = func(s statement) { host = s.Arg(1) }
	w["enable_sni"] = func(s statement) { sni, _ = t.flag(s) }
	w["sni_name"] = func(s statement) { sni, name = true, s.Arg(1) }
	w["http_protocol"] = func(s statement) {
		if !slices.Contains([]string{"1.0", "1.0C", "1.0c", "1.1"}, s.Arg(1)) {
			t.bad(s, 1, "1.0, 1.0C or 1.1")
		}
	}
	known["fast_recovery"] = "a real server that is down is asked once in delay_loop"
	known["tls_compliant"] = ""
	var urls []statement
	w["url"] = func(s statement) { urls = append(urls, s) }
	t.each(s.Name(), s.Block, w, known)
	if len(urls) == 0 {
		t.differ(s.At, "%s has no url; it is left out, as by keepalived", s.Name())
		return
	}
	t.once(s.At, "http version", "%s: requests are HTTP/1.1 with the User-Agent edgekeeper; keepalived's are HTTP/1.0 unless http_protocol says otherwise", s.Name())
	if len(urls) > 1 {
		t.once(s.At, "urls", "%s: each url is asked every delay_loop; keepalived asks one of them each time", s.Name())
	}
	if s.Name() == "SSL_GET" {
		t.once(s.At, "tls", "SSL_GET: keepalived does not verify certificates, and so it stays (tls_skip_verify); delete that to have them verified")
	}
	for _, u := range urls {
		label := map[string]string{"HTTP_GET": "http", "SSL_GET": "https"}[s.Name()]
		n := &node{kind: "check", labels: []string{label}, at: u.At}
		own := orText(host, orText(r.host, v.host))
		t.url(n, u, &own)
		if n.has("path") == nil {
			t.differ(u.At, "url has no path; it is left out, as by keepalived")
			continue
		}
		if own != "" {
			n.set(u.At, "host", own)
		}
		if label == "https" {
			n.set(s.At, "tls_skip_verify", true)
			if name != "" {
				n.set(s.At, "tls_server_name", name)
			} else if !sni && own != "" {
				t.once(s.At, "sni", "SSL_GET: the virtualhost is sent as the server name of TLS; keepalived does that with enable_sni only")
			}
		}
		c.nodes = append(c.nodes, n)
	}
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// url takes one url block.
func (t *translator) url(n *node, s statement, host *string) {
	var ranges []string
	var at position
	var regex, regexNot, options *statement
	t.each("url", s.Block, words{
		"path": func(s statement) {
			path := orText(s.Arg(1), "/")
			if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " #") {
				t.errorf(s.At, "path: %q does not begin with a slash, or holds a space", path)
				return
			}
			n.set(s.At, "path", path)
		},
		"virtualhost": func(s statement) { *host = s.Arg(1) },
		"status_code": func(s statement) {
			at = s.At
			for _, word := range s.Args() {
				low, high, ranged := strings.Cut(word, "-")
				if !ranged {
					high = low
				}
				from, err := strconv.Atoi(low)
				to, err2 := strconv.Atoi(high)
				if err != nil || err2 != nil || from < 100 || to > 599 || from > to {
					t.errorf(s.At, "status_code: %q is not a status from 100 to 599, or a range of them", word)
					continue
				}
				ranges = append(ranges, word)
			}
		},
		"tls_compliant": func(statement) {},
		"digest": func(s statement) {
			if sum, err := hex.DecodeString(s.Arg(1)); err != nil || len(sum) != 16 {
				t.bad(s, 1, "an MD5 digest of 32 hexadecimal digits")
				return
			}
			n.set(s.At, "digest", strings.ToLower(s.Arg(1)))
		},
		"regex": func(s statement) { regex = &s }, "regex_no_match": func(s statement) {
			if s.Arg(1) == "" { // of the other one
				regexNot, regex = regex, nil
				return
			}
			regexNot = &s
		},
		"regex_options": func(s statement) { options = &s },
	}, map[string]string{
		"regex_min_offset": "the whole body is looked at, up to 64 KiB", "regex_max_offset": "the whole body is looked at, up to 64 KiB", "regex_stack": "",
	})
	if len(ranges) > 0 { // else any of 200 to 299, edgekeeper's default too
		n.set(at, "status", strings.Join(ranges, ", "))
	}
	t.body(n, regex, regexNot, options)
}

// body takes the regular expressions of a url.
func (t *translator) body(n *node, regex, not, options *statement) {
	flags := ""
	if options != nil {
		for _, o := range options.Args() {
			flag, ok := map[string]string{"caseless": "i", "multiline": "m", "dotall": "s", "ungreedy": "U"}[o]
			if !ok {
				t.differ(options.At, "regex_options %s has no counterpart in RE2", o)
			}
			flags += flag
		}
	}
	for name, s := range map[string]*statement{"body": regex, "body_not": not} {
		if s == nil {
			continue
		}
		pattern := s.Arg(1)
		if flags != "" {
			pattern = "(?" + flags + ")" + pattern
		}
		if _, err := regexp.Compile(pattern); err != nil || s.Arg(1) == "" || strings.ContainsFunc(pattern, func(r rune) bool { return r < ' ' }) {
			t.differ(s.At, "%s: %q is no regular expression of RE2; the body is not looked at", s.Name(), s.Arg(1))
			continue
		}
		n.set(s.At, name, pattern)
		t.once(s.At, "regex", "%s: edgekeeper's regular expressions are RE2, keepalived's PCRE2; the first 64 KiB of the body are looked at", s.Name())
	}
}

// checksOf makes the checks of a pool: those that all real servers have, and for
// each real server its own. keepalived has all of them at the real servers.
func (t *translator) checksOf(v *virtualServer) (common []*node, own [][]*node) {
	all := make([][]*node, 0, len(v.servers))
	for _, r := range v.servers {
		all = append(all, t.resolve(v, r))
	}
	has := func(list []*node, n *node) bool {
		return slices.ContainsFunc(list, func(o *node) bool { return shape([]*node{o}) == shape([]*node{n}) })
	}
	for _, n := range all[0] {
		if !slices.ContainsFunc(all[1:], func(other []*node) bool { return !has(other, n) }) {
			common = append(common, n)
		}
	}
	for _, list := range all {
		own = append(own, slices.DeleteFunc(list, func(n *node) bool { return has(common, n) }))
	}
	return common, own
}

// resolve gives the checks of a real server with all their times.
func (t *translator) resolve(v *virtualServer, r *realServer) []*node {
	var out []*node
	for _, c := range r.checks {
		times := c.times.over(r.times).over(v.times).over(c.deflt)
		if c.deflt.retryDelay < 0 && times.retryDelay < 0 {
			times.retryDelay = times.loop
		}
		if c.wholeLoop {
			times.timeout = times.loop
			if c.times.timeout > 0 {
				times.timeout = c.times.timeout
			}
		}
		interval := max(times.loop, 10*time.Millisecond)
		timeout := max(times.timeout, time.Millisecond)
		if timeout > interval {
			t.once(c.at, "timeout "+c.at.String(), "connect_timeout %s is longer than delay_loop %s, so attempts would overlap; they begin every %s", span(timeout), span(interval), span(timeout))
			interval = timeout
		}
		for _, n := range c.nodes {
			b := &node{kind: n.kind, labels: n.labels, at: n.at}
			b.set(c.at, "interval", interval)
			b.set(c.at, "timeout", timeout)
			b.set(c.at, "retries", times.retries)
			b.set(c.at, "retry_delay", times.retryDelay)
			if c.alpha.or(r.alpha, v.alpha) != yes {
				b.set(c.at, "initial", "up")
				t.once(c.at, "initial", "a real server whose first check fails is tried again as often as later; keepalived takes it out at once")
			}
			own := int(r.endpoint(v).Port())
			switch {
			case c.noPort:
			case c.port != 0 && c.port != own:
				b.set(c.at, "port", c.port)
			case c.port == 0 && own == 0:
				t.differ(c.at, "the virtual server is for every port, and the check has no connect_port; it is left out")
				continue
			}
			b.attrs = append(append(b.attrs, c.common...), n.attrs...)
			if !slices.ContainsFunc(out, func(o *node) bool { return shape([]*node{o}) == shape([]*node{b}) }) {
				out = append(out, b)
			}
		}
	}
	return out
}

// shape tells blocks apart by what they say, wherever and in whatever order.
func shape(list []*node) string {
	out := make([]string, 0, len(list))
	for _, n := range list {
		text := fmt.Sprintf("%s %q {", n.kind, n.labels)
		for _, a := range n.attrs {
			text += fmt.Sprintf("%s=%q;", a.name, fmt.Sprint(a.value))
		}
		out = append(out, text+shape(n.blocks)+"}")
	}
	slices.Sort(out)
	return strings.Join(out, "")
}
