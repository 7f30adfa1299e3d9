package migrate

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"
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
	case "MISC_CHECK":
		return t.miscCheck(n, r, c, s, w, known)
	case "FILE_CHECK":
		return t.fileCheck(n, c, s)
	}
	t.each(s.Name(), s.Block, w, known)
	return true
}

// miscCheck takes a program.
func (t *translator) miscCheck(n *node, r *realServer, c *checker, s statement, w words, known map[string]string) bool {
	n.labels, c.noPort = []string{"exec"}, true
	// A program is tried once, and may take as long as delay_loop.
	c.deflt.retries, c.wholeLoop = 0, true
	for _, name := range []string{"connect_port", "connect_ip", "connect_timeout", "bindto", "fwmark"} {
		delete(w, name)
	}
	for _, name := range []string{"bind_if", "bind_port"} {
		delete(known, name)
	}
	user, _ := t.global.instance["script_user"].(string)
	w["misc_path"] = func(s statement) {
		if argv, _, ok := t.command(s); ok {
			n.set(s.At, "command", forAll(argv, r.addr.String()))
		}
	}
	w["misc_timeout"] = func(s statement) {
		if d, ok := t.seconds(s, 1); ok && d > 0 {
			c.times.timeout = t.clock(s, d)
		}
	}
	w["misc_dynamic"] = func(s statement) { n.set(s.At, "dynamic_weight", true) }
	w["user"] = func(s statement) { user = strings.Join(s.Args(), ":") }
	t.each(s.Name(), s.Block, w, known)
	if n.has("command") == nil {
		t.differ(s.At, "MISC_CHECK has no misc_path; it is left out, as by keepalived")
		return false
	}
	if user != "" {
		n.set(s.At, "user", user)
	} else {
		t.once(s.At, "script_user", "MISC_CHECK: keepalived runs scripts as the user keepalived_script where there is one; edgekeeper runs them as its own user unless script_user or user says otherwise")
	}
	return true
}

// forAll makes a command line that names a real server one for all of a pool, as
// the check is: the program is told in its environment which server is meant.
func forAll(argv []string, address string) []string {
	if !slices.Contains(argv[1:], address) {
		return argv
	}
	text := "exec"
	for i, word := range argv {
		if i > 0 && word == address {
			text += ` "$EDGEKEEPER_ADDRESS"`
			continue
		}
		text += " '" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return []string{"/bin/sh", "-c", text}
}

// fileCheck takes a number in a file: keepalived looks when it changes,
// edgekeeper every second.
func (t *translator) fileCheck(n *node, c *checker, s statement) bool {
	n.labels, c.noPort = []string{"file"}, true
	c.times = timing{loop: time.Second, timeout: time.Second}
	weight, reverse, written := 0, false, false
	t.each(s.Name(), s.Block, words{
		"track_file": func(s statement) {
			f := t.files[s.Arg(1)]
			if f == nil {
				t.errorf(s.At, "track_file: there is no track_file %q", s.Arg(1))
				return
			}
			f.checked = true
			n.set(s.At, "file", f.block.has("path"))
			if missing := f.block.has("missing"); missing != nil {
				n.set(s.At, "missing", missing)
			}
			if f.block.has("create") != nil {
				t.once(s.At, "init_file", "track_file: a file that only checks read is not made; while there is none it counts as init_file says")
			}
			if !written {
				weight, reverse = f.weight, f.reverse
			}
		},
		"weight": func(s statement) {
			if v, ok := t.integer(s, 1, -65535, 65535); ok {
				weight, reverse, written = v, s.Arg(2) == "reverse", true
			}
		},
		"alpha": func(s statement) {
			if on, ok := t.flag(s); ok {
				c.alpha = triOf(on)
			}
		},
	})
	if n.has("file") == nil {
		return false
	}
	if reverse {
		weight = -weight
	}
	if weight != 0 {
		n.set(s.At, "weight", weight)
	}
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
