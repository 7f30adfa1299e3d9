package migrate

import (
	"encoding/hex"
	"slices"
	"strings"
)

// otherCheck takes the checkers that neither connect only nor speak HTTP.
func (t *translator) otherCheck(v *virtualServer, r *realServer, c *checker, s statement, w words, known map[string]string) bool {
	n := &node{kind: "check", at: s.At}
	c.nodes = []*node{n}
	switch s.Name() {
	case "PING_CHECK":
		n.labels, c.noPort = []string{"icmp"}, true
	case "SMTP_CHECK":
		n.labels = []string{"smtp"}
		n.set(s.At, "helo", "smtpchecker.keepalived.org")
		w["helo_name"] = func(s statement) {
			if name, ok := t.one(s); ok {
				n.set(s.At, "helo", name)
			}
		}
		w["host"] = func(h statement) {
			t.differ(h.At, "host: the blocks of SMTP_CHECK are deprecated; what they say is taken for the checker as a whole")
			t.each("host", h.Block, w, known)
		}
	case "DNS_CHECK":
		n.labels = []string{"dns"}
		c.deflt.retries, c.deflt.retryDelay = 3, -1
		w["type"] = func(s statement) {
			kind := strings.ToUpper(s.Arg(1))
			if !slices.Contains([]string{"A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA"}, kind) {
				t.bad(s, 1, "A, NS, CNAME, SOA, MX, TXT or AAAA")
				return
			}
			n.set(s.At, "type", kind)
		}
		w["name"] = func(s statement) {
			if name, ok := t.one(s); ok {
				n.set(s.At, "name", name)
			}
		}
	case "UDP_CHECK":
		n.labels = []string{"udp"}
		n.set(s.At, "send_hex", "00000000")
		t.udpWords(n, w, known)
	default:
		t.differ(s.At, "%s: edgekeeper has no such check; the real server is not checked by it", s.Name())
		return false
	}
	t.each(s.Name(), s.Block, w, known)
	return true
}

// udpWords are those of UDP_CHECK.
func (t *translator) udpWords(n *node, w words, known map[string]string) {
	w["payload"] = func(s statement) {
		text := strings.Join(s.Args(), "")
		if _, err := hex.DecodeString(text); err != nil || text == "" {
			t.bad(s, 1, "a number of bytes in hexadecimal digits")
			return
		}
		n.set(s.At, "send_hex", text)
	}
	w["require_reply"] = func(s statement) {
		text := strings.ToLower(strings.Join(s.Args(), ""))
		switch {
		case text == "":
			n.set(s.At, "expect", "(?s)^") // whatever comes
		case len(text)%2 != 0 || strings.Trim(text, "0123456789abcdefx") != "":
			t.bad(s, 1, "a number of bytes in hexadecimal digits, or x for any digit")
		default:
			n.set(s.At, "expect_hex", text)
		}
	}
	known["min_reply_length"] = "an answer may have any length"
	known["max_reply_length"] = "an answer may have any length"
}
