package lvs

import "slices"

// Diff returns the ops that turn have into want, within want's scope: the
// virtual servers in want.Pools, unless held, and those in want.Owned. What
// lies outside is invisible. Diff of equal tables is empty; two objects that
// behave alike are equal (see Normal).
//
// The order is:
//
//  1. AddService
//  2. SetService: scheduler, flags and persistence change in place
//  3. AddDest
//  4. SetService to wrr or mh of a virtual server to which 512 real servers or
//     more were just added. With those two the kernel's time for each addition
//     grows with the number of real servers, so a new one is set to wlc before
//  5. SetDest, unless the weight becomes smaller: forwarding method, tunnel,
//     thresholds and weight change in place
//  6. SetDest with a smaller weight
//  7. RemoveDest
//  8. RemoveService: of a virtual server in Owned that nobody wants any more;
//     its real servers go with it and get no op of their own
//
// and, within each, by virtual server and address. So a real server's virtual
// server is always there before it, and a pool that can take connections before
// and after can take them after each single op: whatever is new or grows does
// so before anything shrinks.
//
// Every edit is in place because the kernel allows it: ip_vs_edit_service binds
// another scheduler and keeps the connections; __ip_vs_update_dest changes
// weight, forwarding method, tunnel and thresholds of a real server and keeps
// its connections (established ones go on with the forwarding method that they
// were created with).
func Diff(have Table, want Desired) []Op {
	// An op is large, and a table may need ten thousand: they are counted first,
	// so that each is written once, in its place. Mostly few virtual servers differ,
	// and only they need an order.
	var ph phases
	differ := ph.walk(want.scope(), have, want)
	if ph.place() == 0 {
		return nil
	}
	slices.SortFunc(differ, Key.Compare)
	ph.walk(differ, have, want)
	return ph.ops
}

// walk adds the ops for virtual servers, and returns those that need any.
func (ph *phases) walk(keys []Key, have Table, want Desired) (differ []Key) {
	for _, k := range keys {
		before := ph.next
		w, wanted := want.Pools[k]
		h, found := have[k]
		switch {
		case !wanted:
			if found {
				ph.add(phaseRemoveService, Op{Verb: RemoveService, Service: h.Service.Normal(), Reason: "no longer wanted"})
			}
		case w.Hold == "":
			ph.pool(k, h, found, w)
		}
		if ph.next != before {
			differ = append(differ, k)
		}
	}
	return differ
}

// scope lists the keys that Diff may touch.
func (d Desired) scope() []Key {
	keys := make([]Key, 0, len(d.Pools)+len(d.Owned))
	for k := range d.Pools {
		keys = append(keys, k)
	}
	for k, owned := range d.Owned {
		if _, wanted := d.Pools[k]; owned && !wanted {
			keys = append(keys, k)
		}
	}
	return keys
}

const (
	phaseAddService = iota
	phaseSetService
	phaseAddDest
	phaseFilled
	phaseSetDest
	phaseLowerDest
	phaseRemoveDest
	phaseRemoveService
	phaseCount
)

// phases puts ops in their order. Before place it counts them.
type phases struct {
	next [phaseCount]int // ops of the phase; after place, where its next one goes
	ops  []Op            // nil before place
}

func (ph *phases) add(i int, op Op) {
	if ph.counts(i) {
		return
	}
	ph.ops[ph.next[i]] = op
	ph.next[i]++
}

// counts reports whether ops are only counted, and has counted one if so: it need
// not be made, and its reason not be looked for.
func (ph *phases) counts(i int) bool {
	if ph.ops != nil {
		return false
	}
	ph.next[i]++
	return true
}

// place makes room for what was counted, and returns how many ops that are.
func (ph *phases) place() (total int) {
	for i, n := range ph.next {
		ph.next[i] = total
		total += n
	}
	if total > 0 {
		ph.ops = make([]Op, total)
	}
	return total
}

// pool adds the ops for one wanted virtual server.
func (ph *phases) pool(k Key, h Pool, found bool, w Want) {
	svc := w.Pool.Service
	svc.Key = k
	svc = svc.Normal()
	// Equal lists need no op in whatever order and form. So it is nearly always, and
	// of a hundred thousand real servers.
	var have, want []Dest
	if !slices.Equal(h.Dests, w.Pool.Dests) {
		have, want = h.normalDests(), w.Pool.normalDests()
	}
	many := fillsSlowly(svc.Scheduler) && len(want)-len(have) >= manyDests
	set := func(phase int, was, is Service, reason string) {
		ph.add(phase, Op{Verb: SetService, Service: is, Was: Was{Service: was}, Reason: reason})
	}
	was := h.Service.Normal()
	if !found {
		ph.add(phaseAddService, Op{Verb: AddService, Service: svc})
		was = svc
		if many {
			was.Scheduler = fillScheduler
			set(phaseSetService, svc, was, "while it gets its real servers")
		}
	}
	switch {
	case was == svc:
	case many && !fillsSlowly(was.Scheduler):
		set(phaseFilled, was, svc, "has its real servers")
	default:
		set(phaseSetService, was, svc, "")
	}

	// Both lists are sorted: walk them side by side.
	for len(have) > 0 || len(want) > 0 {
		var side int
		switch {
		case len(have) == 0:
			side = 1
		case len(want) == 0:
			side = -1
		default:
			side = have[0].Addr.Compare(want[0].Addr)
		}
		switch {
		case side < 0:
			ph.removeDest(svc, have[0].Normal(), w)
			have = have[1:]
		case side > 0:
			if !ph.counts(phaseAddDest) {
				d := want[0].Normal()
				ph.add(phaseAddDest, Op{Verb: AddDest, Service: svc, Dest: d, Reason: w.reason(d.Addr)})
			}
			want = want[1:]
		default:
			ph.setDest(svc, have[0].Normal(), want[0].Normal(), w)
			have, want = have[1:], want[1:]
		}
	}
}

func (ph *phases) setDest(svc Service, was, is Dest, w Want) {
	if was == is {
		return
	}
	op := Op{Verb: SetDest, Service: svc, Dest: is, Was: Was{Dest: was}, Reason: w.reason(is.Addr)}
	if op.Lowers() {
		ph.add(phaseLowerDest, op)
	} else {
		ph.add(phaseSetDest, op)
	}
}

func (ph *phases) removeDest(svc Service, d Dest, w Want) {
	reason := w.reason(d.Addr)
	if reason == "" {
		reason = "no longer wanted"
	}
	ph.add(phaseRemoveDest, Op{Verb: RemoveDest, Service: svc, Dest: d, Reason: reason})
}
