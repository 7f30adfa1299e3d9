// Package lvstest is a small, strict IPVS kernel in memory, for tests. It
// refuses what the real one refuses, in the same way, reads back what the real
// one reads back (a granularity of 32 for "none"), and can be made to fail. It
// has the methods of reconcile.Driver.
package lvstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Errors that the real kernel gives as errno values without a meaning of their
// own in package lvs.
var (
	// ErrRange is the kernel's ERANGE: thresholds or a weight out of range.
	ErrRange = errors.New("numerical result out of range")
	// ErrInvalid is the kernel's EINVAL: a combination that it does not take.
	ErrInvalid = errors.New("invalid argument")
)

// Kernel is the fake. Its methods may be called from many goroutines. The zero
// value is an empty table.
type Kernel struct {
	mu     sync.Mutex
	table  lvs.Table
	stats  map[lvs.DestID]lvs.Stats
	faults []*fault
	amid   bool // ClearAmidReading
	read   error
	ops    []lvs.Op
	reads  int
	// Schedulers are the ones that the kernel has; nil means the usual ones.
	Schedulers []string
}

type fault struct {
	match func(lvs.Op) bool
	err   error
}

// Table reads the table back, as a copy.
func (k *Kernel) Table(ctx context.Context) (lvs.Observed, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads++
	if err := errors.Join(ctx.Err(), k.read); err != nil {
		return lvs.Observed{}, err
	}
	out := lvs.Observed{Table: k.table.Clone(), Dests: map[lvs.Key]lvs.DestStats{}, Services: map[lvs.Key]lvs.Stats{}}
	if k.amid { // the real kernel lists the virtual servers first, then the real servers of each
		k.amid = false
		k.table, k.stats = nil, nil
		for key, p := range out.Table {
			out.Table[key] = lvs.NewPool(p.Service)
		}
	}
	for key, p := range out.Table {
		var sum lvs.Stats
		stats := make(lvs.DestStats, 0, len(p.Dests))
		for _, d := range p.Dests {
			st := k.stats[lvs.DestID{Key: key, Addr: d.Addr}]
			stats = append(stats, lvs.DestStat{Addr: d.Addr, Stats: st})
			sum.Active += st.Active
			sum.Inactive += st.Inactive
		}
		out.Dests[key], out.Services[key] = stats, sum
		if p.Service.Granularity == 0 {
			p.Service.Granularity = 32
			if p.Service.IPv6() {
				p.Service.Granularity = 128
			}
			out.Table[key] = p
		}
	}
	return out, nil
}

// Apply does the ops in order, each on its own, and records those that were
// tried and not refused by a fault switch.
func (k *Kernel) Apply(ctx context.Context, ops []lvs.Op) []error {
	k.mu.Lock()
	defer k.mu.Unlock()
	errs := make([]error, len(ops))
	for i, op := range ops {
		if errs[i] = ctx.Err(); errs[i] != nil {
			continue
		}
		if errs[i] = k.fault(op); errs[i] != nil {
			continue
		}
		k.ops = append(k.ops, op)
		errs[i] = k.do(op)
	}
	return errs
}

// Do is somebody else changing the table (ipvsadm): it is not recorded and no
// fault switch applies.
func (k *Kernel) Do(op lvs.Op) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.do(op)
}

// Clear is `ipvsadm -C`.
func (k *Kernel) Clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.table, k.stats = nil, nil
}

// ClearAmidReading makes the next reading catch somebody's `ipvsadm -C` half
// way: it shows the virtual servers, without real servers, and then all is gone.
func (k *Kernel) ClearAmidReading() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.amid = true
}

// Load replaces the table, as somebody else did.
func (k *Kernel) Load(t lvs.Table) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.table, k.stats = t.Clone(), nil
}

// SetConnections says how many connections a real server has.
func (k *Kernel) SetConnections(id lvs.DestID, active, inactive uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stats == nil {
		k.stats = map[lvs.DestID]lvs.Stats{}
	}
	k.stats[id] = lvs.Stats{Active: active, Inactive: inactive}
}

// Fail makes every op that match picks fail with err, until undo is called.
func (k *Kernel) Fail(match func(lvs.Op) bool, err error) (undo func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := &fault{match, err}
	k.faults = append(k.faults, f)
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.faults = slices.DeleteFunc(k.faults, func(g *fault) bool { return g == f })
	}
}

// FailTable makes reading the table fail with err; nil ends that.
func (k *Kernel) FailTable(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.read = err
}

// Ops returns the ops since the last call, in order.
func (k *Kernel) Ops() []lvs.Op {
	k.mu.Lock()
	defer k.mu.Unlock()
	ops := k.ops
	k.ops = nil
	return ops
}

// Reads returns how often the table has been read.
func (k *Kernel) Reads() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reads
}

// Dump gives the whole table as text, one object a line, in order.
func (k *Kernel) Dump() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return Dump(k.table)
}

// Dump gives a table as text, one object a line, in order. Equal text means
// equal tables.
func Dump(t lvs.Table) string {
	var b strings.Builder
	for _, key := range t.Keys() {
		p := t[key]
		s := p.Service.Normal()
		fmt.Fprintf(&b, "%s %s", key, s.Scheduler)
		if s.Flags != 0 {
			fmt.Fprintf(&b, " flags %s", s.Flags)
		}
		if s.OnePacket {
			b.WriteString(" ops")
		}
		if s.Persistence != 0 {
			fmt.Fprintf(&b, " persistent %d/%d", s.Persistence, s.Granularity)
		}
		if s.Engine != "" {
			fmt.Fprintf(&b, " pe %s", s.Engine)
		}
		b.WriteByte('\n')
		for _, d := range p.Dests {
			d = d.Normal()
			fmt.Fprintf(&b, "  -> %s %s %d", d.Addr, d.Forward, d.Weight)
			if d.Forward == lvs.TUN {
				fmt.Fprintf(&b, " %s", d.Tunnel)
			}
			if d.Upper != 0 {
				fmt.Fprintf(&b, " thresholds %d/%d", d.Lower, d.Upper)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func (k *Kernel) fault(op lvs.Op) error {
	for _, f := range k.faults {
		if f.match(op) {
			return f.err
		}
	}
	return nil
}

func (k *Kernel) do(op lvs.Op) error {
	if k.table == nil {
		k.table = lvs.Table{}
	}
	if err := k.check(op); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := lvs.Apply(k.table, op); err != nil {
		return err
	}
	switch op.Verb {
	case lvs.RemoveDest:
		delete(k.stats, op.ID())
	case lvs.RemoveService:
		for id := range k.stats {
			if id.Key == op.Service.Key {
				delete(k.stats, id)
			}
		}
	case lvs.AddService, lvs.SetService, lvs.AddDest, lvs.SetDest:
	}
	return nil
}

var usual = []string{"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf", "twos"}

// check has the kernel's rules about the values (ip_vs_ctl.c): ip_vs_genl_set_cmd,
// ip_vs_add_service, ip_vs_add_dest.
func (k *Kernel) check(op lvs.Op) error {
	schedulers := k.Schedulers
	if schedulers == nil {
		schedulers = usual
	}
	_, found := k.table[op.Service.Key]
	switch op.Verb {
	case lvs.AddService, lvs.SetService:
		if found == (op.Verb == lvs.AddService) {
			return nil // lvs.Apply has the answer
		}
		if !slices.Contains(schedulers, op.Service.Scheduler) {
			return lvs.ErrNoScheduler
		}
		if e := op.Service.Engine; e != "" && !slices.Contains(lvs.Engines(), e) {
			return lvs.ErrNoScheduler // ENOENT, too
		}
	case lvs.AddDest, lvs.SetDest:
		if !found {
			return nil
		}
		d := op.Dest
		mixed := d.Addr.Addr().Is4() == op.Service.IPv6()
		switch { // in the kernel's order
		case mixed && d.Forward != lvs.TUN:
			return ErrInvalid
		case d.Weight > 1<<31-1, d.Lower > d.Upper:
			return ErrRange
		case d.Tunnel.Type == lvs.GUE && d.Tunnel.Port == 0:
			return ErrInvalid
		}
	case lvs.RemoveDest, lvs.RemoveService:
	}
	return nil
}
