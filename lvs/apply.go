package lvs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// The ways in which a table refuses an op. The kernel's errors are mapped to
// them by lvs/kernel, so that callers branch on the meaning and not on errno.
var (
	// ErrExists: the virtual server or real server to add is already there (EEXIST).
	ErrExists = errors.New("already exists")
	// ErrNotFound: the real server to change or remove is not there (ENOENT).
	ErrNotFound = errors.New("no such real server")
	// ErrNoService: the virtual server is not there (ESRCH).
	ErrNoService = errors.New("no such virtual server")
	// ErrNoScheduler: the kernel has no scheduler of that name, and no module
	// for it could be loaded (ENOENT when a virtual server is added or changed).
	ErrNoScheduler = errors.New("scheduler not available in the kernel")
)

// Apply changes t as the kernel would change its table, or returns one of the
// errors above and leaves t alone. It works in place, on the slices that t
// holds: give it a Clone when they belong to somebody else.
func Apply(t Table, op Op) error {
	k := op.Service.Key
	p, found := t[k]
	switch {
	case op.Verb == AddService && found:
		return fmt.Errorf("%s: %w", op, ErrExists)
	case op.Verb != AddService && !found:
		return fmt.Errorf("%s: %w", op, ErrNoService)
	}
	i, there := p.find(op.Dest.Addr)
	switch {
	case op.Verb == AddDest && there:
		return fmt.Errorf("%s: %w", op, ErrExists)
	case (op.Verb == SetDest || op.Verb == RemoveDest) && !there:
		return fmt.Errorf("%s: %w", op, ErrNotFound)
	}
	switch op.Verb {
	case AddService, SetService:
		p.Service = op.Service
	case RemoveService:
		delete(t, k)
		return nil
	case AddDest:
		p.Dests = slices.Insert(p.Dests, i, op.Dest)
	case SetDest:
		p.Dests[i] = op.Dest
	case RemoveDest:
		p.Dests = slices.Delete(p.Dests, i, i+1)
	}
	t[k] = p
	return nil
}

// find returns where the real server is, or where it would be inserted.
func (p Pool) find(a netip.AddrPort) (int, bool) {
	return slices.BinarySearchFunc(p.Dests, a, func(d Dest, a netip.AddrPort) int { return d.Addr.Compare(a) })
}
