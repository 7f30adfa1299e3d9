// Package why explains the director's verdicts: for one virtual server, real
// server, VRRP instance or sync group, what is so, and the chain of causes that
// made it so. It is pure: a snapshot and the event log in, sentences out. It
// decides nothing; the reasons are those that the director recorded when it
// decided.
package why

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// ErrUnknown is returned, wrapped with the names that there are, when nothing
// has the name that was asked for.
var ErrUnknown = errors.New("there is no such object")

// Explanation is a sentence, and what it follows from.
type Explanation struct {
	Object  string        `json:"object,omitempty"` // of the topmost ones: "real server 10.0.0.4:80 of web"
	Text    string        `json:"text"`
	Because []Explanation `json:"because,omitempty"`
}

// Explain explains every object that the name stands for: a virtual server, a
// VRRP instance, a sync group, or a real server by its address, address:port,
// service id, or node, in all pools or, as POOL/SERVER, in one. events may be
// empty; the last ones of an object say since when.
func Explain(s control.Snapshot, events []control.Event, name string) ([]Explanation, error) {
	var out []Explanation
	for _, p := range s.Pools {
		if p.Name == name || p.Service == name {
			out = append(out, pool(s, p, events))
		}
	}
	for _, r := range s.VRRP {
		if r.Name == name {
			out = append(out, router(s, r, events))
		}
	}
	for _, g := range s.Groups {
		if g.Name == name {
			out = append(out, group(s, g, events))
		}
	}
	in, server, whole := strings.Cut(name, "/")
	for _, p := range s.Pools {
		if whole && p.Name != in {
			continue
		}
		if !whole {
			server = name
		}
		for _, m := range members(p) {
			if slices.Contains([]string{m.Addr.String(), m.Addr.Addr().String(), m.ID, m.Node}, server) && server != "" {
				out = append(out, realServer(s, p, m, events))
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%q: %w; there are: %s", name, ErrUnknown, strings.Join(Names(s), ", "))
	}
	return out, nil
}

// Names lists what can be explained.
func Names(s control.Snapshot) []string {
	var out []string
	for _, r := range s.VRRP {
		out = append(out, r.Name)
	}
	for _, g := range s.Groups {
		out = append(out, g.Name)
	}
	for _, p := range s.Pools {
		out = append(out, p.Name)
		for _, m := range members(p) {
			out = append(out, cmp.Or(m.ID, m.Addr.String()))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// members are all real servers of a virtual server.
func members(p control.Pool) []control.PoolServer {
	out := slices.Clone(p.Servers)
	if p.Fallback != nil {
		out = append(out, p.Fallback.Servers...)
	}
	if p.Sorry != nil {
		out = append(out, *p.Sorry)
	}
	return out
}

// Write prints explanations as text: a sentence, and below it, indented, what it
// follows from.
func Write(w io.Writer, list []Explanation) error {
	var b strings.Builder
	var walk func(e Explanation, depth int)
	walk = func(e Explanation, depth int) {
		switch {
		case depth > 0:
			fmt.Fprintf(&b, "%s- %s\n", strings.Repeat("  ", depth), e.Text)
		default:
			fmt.Fprintf(&b, "%s %s\n", e.Object, e.Text)
		}
		for _, c := range e.Because {
			walk(c, depth+1)
		}
	}
	for i, e := range list {
		if i > 0 {
			b.WriteString("\n")
		}
		walk(e, 0)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (e *Explanation) because(format string, args ...any) *Explanation {
	e.Because = append(e.Because, Explanation{Text: fmt.Sprintf(format, args...)})
	return &e.Because[len(e.Because)-1]
}

// last adds the last event of an object, which says since when.
func (e *Explanation) last(s control.Snapshot, events []control.Event, match func(control.Event) bool) {
	for _, ev := range slices.Backward(events) {
		if match(ev) {
			e.because("%s ago (event %d): %s", age(s.At, ev.At), ev.Seq, ev.Text)
			return
		}
	}
}

func age(now, then time.Time) string {
	switch d := max(now.Sub(then), 0); {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < 48*time.Hour:
		return d.Round(time.Second).String()
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}
