package notify

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// Kind is what an event is about.
type Kind uint8

// The kinds of events.
const (
	VRRP     Kind = iota // a VRRP instance changed its state
	Group                // a sync group did
	Priority             // the priority of a VRRP instance changed
	Trouble              // a VRRP instance sees something wrong: a second master, a peer that does not fit
	Pool                 // a pool is held, in panic, frozen or without quorum, or no longer
	Track                // what VRRP instances track went down, came up, or has another number
	Server               // a real server of a pool went down, came up, is drained or leaves
)

var kinds = []struct{ name, word string }{
	VRRP:     {"vrrp", "INSTANCE"},
	Group:    {"group", "GROUP"},
	Priority: {"priority", "INSTANCE"},
	Trouble:  {"trouble", "TROUBLE"},
	Pool:     {"pool", "VS"},
	Track:    {"track", "TRACKER"},
	Server:   {"server", "RS"},
}

// String gives the name that the configuration uses.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k].name
	}
	return "unknown"
}

// Word is the first argument of a script and the first word of a FIFO's line:
// INSTANCE and GROUP, as keepalived has them, and VS and RS for virtual and real servers.
func (k Kind) Word() string {
	if int(k) < len(kinds) {
		return kinds[k].word
	}
	return "UNKNOWN"
}

// ParseKind is the inverse of String.
func ParseKind(name string) (Kind, error) {
	for i, k := range kinds {
		if k.name == name {
			return Kind(i), nil
		}
	}
	return 0, fmt.Errorf("no kind of event is called %q", name)
}

// Event is one change. Put fills in Seq and, where it is zero, At.
type Event struct {
	Seq    uint64 // counts all events since the start, from 1
	At     time.Time
	Kind   Kind
	Object string // the instance, the pool, or "pool ip:port"
	// Aspect tells independent states of one object apart (a pool may be held and
	// without quorum). An event takes the place of an earlier one of the same
	// kind, object and aspect that still waits.
	Aspect   string
	State    string // the new state, such as MASTER or DOWN
	Previous string // the state before; empty when there was none
	Priority uint8  // of the VRRP instance, else 0; of a group 0, as keepalived has it
	Reason   string // one sentence
	RouterID string // of this director
}

// Title says the event in a line.
func (e Event) Title() string {
	text := fmt.Sprintf("%s %s: %s", e.Kind, e.Object, e.State)
	if e.Previous != "" {
		text += ", was " + e.Previous
	}
	return text
}

// key identifies what a newer event replaces.
type key struct {
	kind           Kind
	object, aspect string
}

func (e Event) key() key { return key{e.Kind, e.Object, e.Aspect} }

// maxReason bounds what a waiting event takes in memory.
const maxReason = 1024

// clip shortens a text to n bytes, without half a character at its end.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
