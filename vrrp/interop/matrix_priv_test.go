//go:build priv

package interop

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Priorities in the matrix.
const (
	high   = 150 // of the router that is master
	middle = 100 // of its backup
	low    = 50  // of the master, after a change of priority
)

// router is one side of a pair: ours or keepalived.
type router struct {
	t          *testing.T // of the row: a router outlives the subtest that starts it again
	p          *pair
	host       *netns.Host
	keepalived bool
	priority   int
	proc       *netns.Process
	file       string // keepalived.conf
}

func (r *router) start() {
	t := r.t
	t.Helper()
	if !r.keepalived {
		args := append([]string{"-priority", fmt.Sprint(r.priority), "-later-priority", fmt.Sprint(low), "-vips", r.p.vips}, r.p.mode.router...)
		if r.p.unicast {
			args = append(args, "-peers", r.p.address(r.other()))
		}
		r.proc = r.host.Start(t, netns.Role("router", args...))
		return
	}
	r.file = filepath.Join(t.TempDir(), "keepalived.conf")
	r.proc = startKeepalived(t, r.p, r.host, r.file, r.priority, "")
}

func (r *router) other() string { return map[string]string{"a": "b", "b": "a"}[r.host.Name] }

// backup waits until the router has settled as backup.
func (r *router) backup(t *testing.T) {
	t.Helper()
	r.proc.WaitOutput(t, map[bool]string{true: "Entering BACKUP STATE", false: "role BACKUP"}[r.keepalived], 5*time.Second)
}

// signal goes to every process of the router. keepalived's parent would see the
// other go and act.
func (r *router) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if r.keepalived && (s == syscall.SIGKILL || s == syscall.SIGSTOP || s == syscall.SIGCONT) {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(r.file), "vrrp.pid"))
		pid, bad := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil || bad != nil {
			t.Fatalf("find keepalived's VRRP process: %v %v", err, bad)
		}
		if s != syscall.SIGCONT {
			r.proc.Signal(t, syscall.SIGSTOP) // so that it cannot act on the end of its child
		}
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatalf("signal keepalived's VRRP process: %v", err)
		}
	}
	r.proc.Signal(t, s)
}

// setPriority changes the priority of the running router: low, or back to high.
func (r *router) setPriority(t *testing.T, priority int) {
	t.Helper()
	if r.keepalived {
		configure(t, r.p, r.host, r.file, priority, "")
	}
	r.proc.Signal(t, syscall.SIGHUP)
}

// fault is one thing that can happen to a master.
type fault struct {
	name  string
	apply func(*testing.T, *router)
	heal  func(*testing.T, *router)
	// resigns: the master says that it goes, and the backup waits for its skew
	// time only.
	resigns bool
	// above: adverts of the master below that count as none.
	above uint8
	// keeps reports whether the master may still have its addresses when the
	// backup takes them: by the protocol, or because its program leaves them.
	keeps func(keepalived bool) bool
}

func nobody(bool) bool            { return false }
func onlyKeepalived(is bool) bool { return is }
func anybody(bool) bool           { return true }

func restart(_ *testing.T, r *router) { r.start() }

var faults = []fault{
	{name: "clean stop", resigns: true, keeps: nobody, heal: restart,
		apply: func(t *testing.T, r *router) {
			t.Helper()
			if err := r.proc.Stop(t, 5*time.Second); err != nil {
				t.Errorf("stop: %v", err)
			}
		}},
	// Ours loses the address with its lease; keepalived's stays.
	{name: "kill -9", keeps: onlyKeepalived, heal: restart,
		apply: func(t *testing.T, r *router) { t.Helper(); r.signal(t, syscall.SIGKILL); <-r.proc.Done() }},
	{name: "SIGSTOP and SIGCONT", keeps: onlyKeepalived,
		apply: func(t *testing.T, r *router) { t.Helper(); r.signal(t, syscall.SIGSTOP) },
		heal:  func(t *testing.T, r *router) { t.Helper(); r.signal(t, syscall.SIGCONT) }},
	{name: "link down", keeps: nobody,
		apply: func(t *testing.T, r *router) { t.Helper(); r.host.Cut(t) },
		heal:  func(t *testing.T, r *router) { t.Helper(); r.host.Mend(t) }},
	{name: "partition", keeps: anybody,
		apply: func(t *testing.T, r *router) { t.Helper(); r.p.lan.Isolate(t, r.host, true) },
		heal:  func(t *testing.T, r *router) { t.Helper(); r.p.lan.Isolate(t, r.host, false) }},
	{name: "lower priority", above: middle, keeps: anybody, // for the time of one advert
		apply: func(t *testing.T, r *router) { t.Helper(); r.setPriority(t, low) },
		heal:  func(t *testing.T, r *router) { t.Helper(); r.setPriority(t, high) }},
}

// overlap bounds how long two may hold an address where the protocol lets them:
// from the advert of a router that takes over from a living one to the moment
// at which that one has read it.
const overlap = 100 * time.Millisecond

// TestMatrix has every mode of the protocol go through every fault, with ours
// as the master and keepalived as its backup, and the other way round. Who is
// master, when it changes, who has the addresses and what is on the cable must
// be what the protocol says.
func TestMatrix(t *testing.T) {
	t.Parallel()
	wire := &wire{forms: map[string]map[string]string{}}
	t.Run("rows", func(t *testing.T) {
		for _, m := range modes {
			for _, theirs := range []bool{false, true} {
				t.Run(m.name+", master "+map[bool]string{true: "keepalived", false: "ours"}[theirs], func(t *testing.T) {
					t.Parallel()
					row(t, m, theirs, wire)
				})
			}
		}
	})
	wire.judge(t)
}

// row is one mode with one of the two as master, through all faults.
func row(t *testing.T, m mode, theirs bool, wire *wire) {
	p := newPair(t, m)
	capture, late := p.lan.Capture(t, p.a, p.b), netns.MeasureLateness(t)
	ledger := p.lan.Ledger(t, p.vip, p.a, p.b)
	x := &router{t: t, p: p, host: p.a, keepalived: theirs, priority: high}
	y := &router{t: t, p: p, host: p.b, keepalived: !theirs, priority: middle}
	if m.unicast {
		// A cut must not make a neighbour unknown: an advert that waits for the
		// answer of one is not on the cable.
		p.a.Neighbour(t, p.address("b"), p.b)
		p.b.Neighbour(t, p.address("a"), p.a)
	}
	x.start()
	waitHolder(t, patience, x.host, p.vip)
	y.start()
	y.backup(t)
	down, skew := vrrp.Version(m.version).MasterDown(time.Second, 3, middle), vrrp.Version(m.version).Skew(time.Second, middle)

	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			began := time.Now()
			p.waitAdverts(t, capture, late, x.host, 3, began)
			calm := time.Now()
			f.apply(t, x)
			waitHolder(t, patience, y.host, p.vip)
			over := time.Now()
			rule := takeover{from: x.host.Name, to: y.host.Name, resigned: f.resigns, above: f.above, cut: f.name == "partition", wait: down}
			if f.resigns {
				rule.wait = skew
			}
			rule.check(t, capture, late, calm)
			if f.name == "link down" && p.a.Has(t, p.vip) {
				t.Error("the address is on an interface without carrier")
			}
			if f.name != "lower priority" { // the old master must stay away for longer than it would wait
				p.waitAdverts(t, capture, late, y.host, 2, over)
			}
			times, two, none := ledger.Judge(calm)
			if times > 0 && !f.keeps(theirs) {
				t.Errorf("both held the address %d times, for %s", times, two)
			}
			if f.name == "lower priority" && two > overlap+late.Between(calm, time.Now()) {
				t.Errorf("both held the address for %s after the change of priority", two)
			}
			t.Logf("nobody held the address for at most %s", none)

			healed := time.Now()
			f.heal(t, x)
			yields := func(from time.Time) {
				t.Helper()
				if took := waitGone(t, patience, y.host, p.vip); took > 1500*time.Millisecond+late.Between(from, time.Now()) {
					t.Errorf("%s kept the address for %s", y.host.Name, took)
				}
			}
			if f.name == "partition" { // both are masters: the lower yields to the first advert
				yields(healed)
			}
			p.waitAdverts(t, capture, late, x.host, 1, healed)
			waitHolder(t, patience, x.host, p.vip)
			yields(time.Now())
			for _, a := range adverts(capture.Frames()) {
				if a.At.After(began) && a.At.Before(calm) && a.Host == y.host.Name && a.priority > 0 {
					t.Errorf("the backup sent an advert of priority %d before the fault", a.priority)
				}
			}
		})
		if t.Failed() {
			break // what follows begins from a wrong state
		}
	}

	ours, kd := x, y
	if theirs {
		ours, kd = y, x
	}
	conflict := false
	for _, trouble := range status(t, ours.proc).Troubles {
		k := trouble.Kind.String()
		// A stopped keepalived leaves the address on its host, whose kernel answers
		// for it: as the next master we must find that out.
		if theirs && k == "address-conflict" {
			conflict = true
			continue
		}
		if k != "second-master" && k != "late" && (k != "replay" || m.auth != "ah") {
			t.Errorf("trouble with keepalived: %s: %s", k, trouble.Detail)
		}
	}
	if theirs && !conflict && !t.Failed() {
		t.Error("the address that the stopped keepalived left on its host was not found")
	}
	// All routers of an AH group count with one sequence. Two masters that did
	// not hear each other have both counted on, and the first adverts after that
	// are old news to the other side.
	output := strings.ReplaceAll(kd.proc.Output(), "Netlink", "")
	output = strings.ReplaceAll(output, "already processed. Packet dropped", "")
	for _, bad := range []string{"nvalid", "mismatch", "bogus", "dropp"} {
		if strings.Contains(output, bad) {
			t.Errorf("keepalived complains about our packets:\n%s", kd.proc.Output())
			break
		}
	}
	wire.add(t, p, capture, map[string]bool{x.host.Name: x.keepalived, y.host.Name: y.keepalived})
}

// waitAdverts waits until a host has sent n adverts in a row after from, and checks that
// the last two came at the interval.
func (p *pair) waitAdverts(t *testing.T, c *netns.Capture, late *netns.Lateness, h *netns.Host, n int, from time.Time) {
	t.Helper()
	var sent []advert
	netns.Wait(t, time.Duration(n+4)*time.Second, fmt.Sprintf("%d adverts of %s", n, h.Name), func() bool {
		sent = sent[:0]
		for _, a := range adverts(c.Frames()) {
			if a.Host != h.Name || a.priority == 0 || !a.At.After(from) {
				continue
			}
			// A master answers lower priorities at once: that is not its beat.
			if len(sent) > 0 && a.At.Sub(sent[len(sent)-1].At) < time.Second/2 {
				sent = sent[:0]
			}
			sent = append(sent, a)
		}
		return len(sent) >= n
	})
	if n > 1 {
		before, last := sent[len(sent)-2].At, sent[len(sent)-1].At
		// One that was late itself is followed by the next on the beat.
		if gap, busy := last.Sub(before), late.Between(before.Add(-time.Second), last); gap < time.Second-50*time.Millisecond-busy || gap > time.Second+allowance+busy {
			t.Errorf("%s sent adverts %s apart; the machine was late by up to %s", h.Name, gap, busy)
		}
	}
}

// wire collects what was captured in all rows.
type wire struct {
	mu     sync.Mutex
	frames []netns.Frame
	rows   []string // of each frame
	forms  map[string]map[string]string
}

// add checks each advert of a row by itself, and keeps it for the comparison.
func (w *wire) add(t *testing.T, p *pair, c *netns.Capture, keepalived map[string]bool) {
	t.Helper()
	forms := map[string]map[string]bool{"ours": {}, "keepalived": {}}
	ids := map[string][]byte{}
	all := adverts(c.Frames())
	for _, a := range all {
		who := map[bool]string{true: "keepalived", false: "ours"}[keepalived[a.Host]]
		forms[who][hex.EncodeToString(p.form(t, a, time.Second))] = true
		if !p.v6 && who == "ours" && !p.unicast {
			if id := a.packet.Header[4:6]; bytes.Equal(id, ids[a.Host]) {
				t.Errorf("two adverts of %s have the id %x", a.Host, id)
			}
			ids[a.Host] = a.packet.Header[4:6]
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range all {
		w.frames, w.rows = append(w.frames, a.Frame), append(w.rows, t.Name())
	}
	for who, set := range forms {
		for form := range set {
			if w.forms[p.name] == nil {
				w.forms[p.name] = map[string]string{}
			}
			w.forms[p.name][form] += who + " "
		}
		if len(set) != 1 {
			t.Errorf("adverts of %s have %d forms", who, len(set))
		}
	}
}

// judge compares ours with keepalived's byte by byte, and has tshark decode all.
func (w *wire) judge(t *testing.T) {
	for mode, forms := range w.forms {
		if len(forms) != 1 {
			for form, who := range forms {
				t.Errorf("%s, %s:\n%s", mode, who, form)
			}
		}
	}
	if len(w.frames) == 0 {
		t.Fatal("nothing was captured")
	}
	file := writePcap(t, w.frames)
	p := &pair{lan: netns.NewLAN(t)}
	p.b = p.lan.Host(t, "shark")
	lines := p.tshark(t, file, "frame", "frame.number", "vrrp.checksum.status", "ip.checksum.status", "_ws.expert.message", "_ws.malformed")
	if len(lines) != len(w.frames) {
		t.Fatalf("tshark decodes %d of %d frames", len(lines), len(w.frames))
	}
	bad := 0
	for i, line := range lines {
		v := strings.Split(line, "|")
		if v[1] != "1" || v[2] != "1" && v[2] != "" || v[3]+v[4] != "" {
			if bad++; bad <= 10 {
				t.Errorf("%s: tshark: %s\n% x", w.rows[i], line, w.frames[i].Data)
			}
		}
	}
	t.Logf("tshark decoded %d adverts of %d modes, %d with faults", len(lines), len(w.forms), bad)
}
