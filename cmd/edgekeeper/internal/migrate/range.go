package migrate

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// entry is a line of a virtual_server_group: addresses and a port, or a firewall
// mark.
type entry struct {
	at     position
	text   string         // as edgekeeper has it
	first  netip.AddrPort // of the range
	single bool           // it is no range
	mark   int            // 0: addresses
	six    bool           // of the mark
}

// serverGroup takes a virtual_server_group.
func (t *translator) serverGroup(s statement) {
	name, ok := t.one(s)
	if !ok {
		return
	}
	out := []entry{}
	for _, l := range s.Block {
		if l.Words[0] == "fwmark" {
			if n, ok := t.integer(l, 1, 1, 1<<32-1); ok {
				out = append(out, entry{at: l.At, mark: n, six: l.Arg(2) == "inet6"})
			}
			continue
		}
		port := 0
		if l.Arg(1) != "" {
			if port, ok = t.integer(l, 1, 0, 65535); !ok {
				continue
			}
		}
		span, err := spanOf(l.Words[0], port)
		if err != nil {
			t.errorf(l.At, "virtual_server_group %s: %v", name, err)
			continue
		}
		first, single := span.Single()
		out = append(out, entry{at: l.At, text: span.String(), first: first, single: single})
	}
	t.groups[name] = out
}

// spanOf reads an address, a.b.c.d-e, ae00::2-9 (the last part), two addresses
// with a hyphen between, or a prefix, of which keepalived takes every address.
func spanOf(text string, port int) (lvs.Span, error) {
	host := text
	if strings.Contains(text, ":") {
		host = "[" + text + "]"
	}
	return lvs.ParseSpan(host + ":" + strconv.Itoa(port))
}
