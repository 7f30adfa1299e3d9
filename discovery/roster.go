package discovery

import (
	"net/netip"
	"slices"
)

// roster are the real servers of a pool, each address once.
type roster struct {
	at   map[netip.AddrPort]*server
	list []*server // as they came, which often is in order
	room []server  // for those to come: ten thousand at once are less work for the collector
}

func newRoster(size int) *roster {
	return &roster{make(map[netip.AddrPort]*server, size), make([]*server, 0, size), make([]server, size)}
}

// add adds a real server, or puts it in the place of the one with its address.
func (r *roster) add(s server) *server {
	at := r.at[s.addr]
	if at == nil {
		if len(r.room) == 0 {
			r.room = make([]server, 1)
		}
		at, r.room = &r.room[0], r.room[1:]
		r.at[s.addr], r.list = at, append(r.list, at)
	}
	*at = s
	return at
}

// inOrder lists the real servers by address, each with what is remembered of it.
func (r *roster) inOrder(before Memory) []*server {
	out := r.list
	slices.SortFunc(out, func(a, b *server) int { return a.addr.Compare(b.addr) })
	past := before.Servers // both are in order: walk them side by side
	for _, s := range out {
		for len(past) > 0 && past[0].Addr.Compare(s.addr) < 0 {
			past = past[1:]
		}
		s.past = &unknown
		if len(past) > 0 && past[0].Addr == s.addr {
			s.past = &past[0]
		}
	}
	return out
}
