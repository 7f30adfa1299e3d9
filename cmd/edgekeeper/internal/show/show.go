// Package show renders the director's state as text for people. Every function
// is pure: a value in, text out.
package show

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/discovery"
)

// Status writes the overview: who holds which address, what each pool serves,
// and everything that needs somebody's eyes.
func Status(w io.Writer, s control.Snapshot) error {
	fmt.Fprintf(w, "router %s, version %s, up %s, config %s\n", s.RouterID, s.Version, age(s.At, s.Started), s.Config.Path)
	if err := Routers(w, s); err != nil {
		return err
	}
	if err := trackers(w, s); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := Pools(w, s); err != nil {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, ipvs(s.IPVS))
	if t := s.IPVS.Timeouts; t != nil {
		fmt.Fprintf(w, "Timeouts: tcp %gs, tcp fin %gs, udp %gs\n", t.TCP, t.TCPFin, t.UDP)
	}
	if c := s.IPVS.Sync; c != nil {
		fmt.Fprintf(w, "Connection sync: %s, after %s, on %s, id %d, %s port %d\n", c.State, c.Instance, c.Interface, c.ID, c.Group, c.Port)
	}
	fmt.Fprintf(w, "KV: %s, %d keys\n", s.KV.Where, s.KV.Keys)
	if s.Registration != nil {
		fmt.Fprintln(w, "Registered: "+registered(*s.Registration))
	}
	fmt.Fprintln(w, "Guardian: "+guardian(s.Guardian))
	fmt.Fprintln(w, "Process: "+processLine(s.Process))
	if len(s.Notify) > 0 {
		fmt.Fprintln(w)
		if err := targets(w, s); err != nil {
			return err
		}
	}
	if notes := Notes(s); len(notes) > 0 {
		fmt.Fprintln(w, "\nNeeds attention:")
		for _, n := range notes {
			fmt.Fprintln(w, "  "+n)
		}
	}
	return nil
}

// Notes lists, a sentence each, what a person should look at: refused settings,
// silent sources, held pools, drift, mismatched peers.
func Notes(s control.Snapshot) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if s.Config.Refused != "" {
		add("configuration refused, the one before it stays: %s", s.Config.Refused)
	}
	for _, r := range s.VRRP {
		if r.Error != "" {
			add("vrrp %s: %s", r.Name, r.Error)
		}
		if p := r.Peers; p != nil && p.Problem != "" {
			add("vrrp %s: unicast peers: %s: %s; the last known peers stand", r.Name, p.From, p.Problem)
		}
		out = append(out, trackNotes(s, r)...)
		out = append(out, troubleNotes(s, r)...)
	}
	for _, e := range []string{s.Process.RealtimeError, s.Process.LockError} {
		if e != "" {
			add("process: %s", e)
		}
	}
	if g := s.Guardian; g != nil && g.Error != "" {
		add("guardian: %s", g.Error)
	}
	for _, p := range s.Pools {
		switch {
		case p.Held != "":
			add("pool %s is HELD: %s", p.Name, p.Held)
		case p.Hold != "":
			add("pool %s is frozen by %s", p.Name, p.Hold)
		}
		if p.Error != "" {
			add("pool %s: %s", p.Name, p.Error)
		}
		if p.Panic {
			add("pool %s is in panic: too few healthy real servers, so all are used", p.Name)
		}
		if p.QuorumLost {
			add("pool %s has lost its quorum%s", p.Name, map[discovery.Instead]string{
				discovery.TheFallback: ", its fallback answers", discovery.TheSorry: ", its sorry server answers",
			}[p.Answers])
		}
		if p.Stale {
			add("pool %s is built from the last known good catalog, not from a live one", p.Name)
		}
		for _, w := range p.Warnings {
			add("pool %s: %s", p.Name, w)
		}
		for _, q := range p.Waiting {
			add("pool %s waits for the first answer to %s", p.Name, q)
		}
	}
	for _, src := range s.Sources {
		if src.Error != "" {
			add("%s: %s; the last good answer stands", src.Query, src.Error)
		}
	}
	for _, src := range s.Sources {
		for _, w := range src.Warnings {
			add("%s: %s", src.Query, w)
		}
	}
	if s.KV.Error != "" {
		add("kv: %s; the last good settings stand", s.KV.Error)
	}
	if n := len(s.KV.Kept); n > 0 {
		add("kv: %s has lost its data, and what %d of its keys said stands until they are written again or given up: %s", s.KV.Where, n, strings.Join(s.KV.Kept, ", "))
	}
	for _, r := range s.KV.Rejected {
		add("kv: %s", r)
	}
	if r := s.Registration; r != nil && r.Error != "" {
		add("cannot register with consul: %s", r.Error)
	}
	if s.IPVS.Error != "" {
		add("ipvs: %s", s.IPVS.Error)
	}
	if s.IPVS.LastDrift != "" {
		add("ipvs: somebody else changed our table, repaired: %s", s.IPVS.LastDrift)
	}
	for _, n := range s.Notify {
		if n.Failing {
			add("notify %s fails: %s", n.Name, firstLine(n.LastError))
		}
	}
	if c := s.IPVS.Sync; c != nil && c.Error != "" {
		add("connection sync: %s", c.Error)
	}
	for _, c := range s.Sysctls {
		if c.Error != "" {
			add("sysctl %s: %s", c.Name, c.Error)
		}
	}
	return out
}

func guardian(g *control.Guardian) string {
	switch {
	case g == nil:
		return "switched off"
	case g.PID == 0:
		return fmt.Sprintf("none runs, replaced %d times", g.Restarts)
	case len(g.Armed) == 0:
		return fmt.Sprintf("process %d, not armed, replaced %d times", g.PID, g.Restarts)
	}
	return fmt.Sprintf("process %d, armed for %s, replaced %d times", g.PID, strings.Join(g.Armed, ", "), g.Restarts)
}

func ipvs(i control.IPVS) string {
	state := "in sync"
	if !i.InSync {
		state = "not in sync"
	}
	var ops uint64
	for _, n := range i.Ops {
		ops += n
	}
	return fmt.Sprintf("IPVS: %s, %d changes applied, %d of them repaired drift; at start %d virtual servers with %d real servers were adopted",
		state, ops, i.Drift, i.Adopted.Services, i.Adopted.Servers)
}

// Routers writes the VRRP instances and the sync groups.
func Routers(w io.Writer, s control.Snapshot) error {
	t := table(w, "VRRP", "STATE", "SINCE", "PRIORITY", "ADDRESS", "HELD", "LEASE", "MASTER HEARD", "REASON")
	for _, r := range s.VRRP {
		for i, a := range r.Addresses {
			held := "-"
			if a.Present {
				held = "yes"
			}
			if a.Present && r.NoAccept {
				held = "yes, not accepted"
			}
			row := []string{"", "", "", "", a.Prefix.String() + " " + cmp.Or(a.Label, a.Device) + virtualMAC(r, a.Device), held, "", "", ""}
			if i == 0 {
				row[0], row[1], row[2] = r.Name, r.State, age(s.At, r.Since)
				row[3], row[6] = priority(r), r.Lease
				row[7], row[8] = heard(r), r.Reason
			}
			t.row(row...)
		}
		for _, what := range append(slices.Clone(r.Routes), r.Rules...) {
			t.row("", "", "", "", what, "", "", "", "")
		}
		if len(r.Addresses) == 0 {
			t.row(r.Name, r.State, age(s.At, r.Since), priority(r), "-", "-", r.Lease, heard(r), r.Reason)
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	return groups(w, s)
}

func heard(r control.Router) string {
	if r.Master == "" {
		return "-"
	}
	return fmt.Sprintf("%s (%d)", r.Master, r.MasterPriority)
}

// Pools writes every virtual server with its real servers.
func Pools(w io.Writer, s control.Snapshot) error {
	t := table(w, "POOL", "REAL SERVER", "NAME", "STATE", "WEIGHT", "ACTIVE", "INACTIVE", "REASON")
	for _, p := range s.Pools {
		first := p.Service
		if len(p.Addresses) > 0 { // a group: what people know it by, and then what the kernel does
			first = p.Addresses[0]
		}
		t.row(p.Name, first+" "+p.Scheduler+" "+p.Forward, "", poolState(p), "", "", "", "")
		for _, a := range p.Addresses[min(1, len(p.Addresses)):] {
			t.row("", a, "", "", "", "", "", "")
		}
		if len(p.Addresses) > 0 {
			t.row("", "as "+p.Service, "", "", "", "", "", "")
		}
		for _, srv := range p.Servers {
			t.server("", srv)
		}
		substitutes(t, p)
	}
	return t.flush()
}

func poolState(p control.Pool) string {
	var words []string
	for _, flag := range []struct {
		on   bool
		word string
	}{{p.Error != "", "ERROR"}, {p.Standby != "", "standby: " + p.Standby}, {p.Held != "", "HELD"}, {p.Hold != "", "frozen"}, {p.Panic, "PANIC"}, {p.QuorumLost, "quorum lost"}, {p.Stale, "stale"}} {
		if flag.on {
			words = append(words, flag.word)
		}
	}
	return strings.Join(words, ", ")
}

// targets writes who is told what happens.
func targets(w io.Writer, s control.Snapshot) error {
	t := table(w, "NOTIFY", "DELIVERED", "FAILED", "QUEUED", "LAST ERROR")
	for _, n := range s.Notify {
		last := "-"
		if n.LastError != "" && n.ErrorAt != nil {
			last = age(s.At, *n.ErrorAt) + " ago: " + firstLine(n.LastError)
		}
		t.row(n.Name, fmt.Sprint(n.Delivered), fmt.Sprint(n.Failed), fmt.Sprint(n.Queued), last)
	}
	return t.flush()
}

// firstLine shortens what a script has printed.
func firstLine(s string) string {
	const most = 200
	line, _, more := strings.Cut(s, "\n")
	if r := []rune(line); len(r) > most {
		line, more = string(r[:most]), true
	}
	if more {
		line += " …"
	}
	return line
}

// Connections writes the IPVS connection table, like `ipvsadm -Lnc`.
func Connections(w io.Writer, list []control.Connection) error {
	t := table(w, "PRO", "EXPIRE", "STATE", "CLIENT", "VIRTUAL", "REAL SERVER")
	for _, c := range list {
		left := time.Duration(c.Expires * float64(time.Second)).Round(time.Second)
		virtual := c.Virtual.String()
		if c.Mark != 0 {
			virtual = fmt.Sprintf("fwmark %d", c.Mark)
		}
		t.row(c.Protocol, left.String(), c.State, c.Client.String(), virtual, c.Server.String())
	}
	return t.flush()
}

// Events writes events, a line each.
func Events(w io.Writer, list []control.Event) error {
	for _, e := range list {
		if _, err := fmt.Fprintf(w, "%s %-7s %-12s %s\n", e.At.Format("2006-01-02T15:04:05.000Z07:00"), e.Kind, e.Object, e.Text); err != nil {
			return err
		}
	}
	return nil
}

// Handovers writes the outcome of a handover.
func Handovers(w io.Writer, list []control.Handover) error {
	for _, h := range list {
		if _, err := fmt.Fprintf(w, "%s: %s is master, %.0f ms after the order\n", h.Instance, h.To, h.Seconds*1000); err != nil {
			return err
		}
	}
	return nil
}

func age(now, then time.Time) string {
	if then.IsZero() {
		return "-"
	}
	return now.Sub(then).Round(time.Second).String()
}

// grid is a table with aligned columns and no trailing blanks.
type grid struct {
	text *bytes.Buffer
	tabs *tabwriter.Writer
	to   io.Writer
}

func table(w io.Writer, head ...string) grid {
	var text bytes.Buffer
	g := grid{&text, tabwriter.NewWriter(&text, 2, 8, 2, ' ', 0), w}
	g.row(head...)
	return g
}

func (g grid) row(cells ...string) { fmt.Fprintln(g.tabs, strings.Join(cells, "\t")) }

func (g grid) flush() error {
	if err := g.tabs.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(g.text.String()) {
		if _, err := fmt.Fprintln(g.to, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}
