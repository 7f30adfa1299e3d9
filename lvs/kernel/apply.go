//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/edgekeeper/edgekeeper/lvs"
	"golang.org/x/sys/unix"
)

// Apply does the ops in order and returns their errors in the same places; nil
// is done. They go out many at a time. A failed op does not stop those behind
// it; a cancelled ctx does. An op whose answer was lost has ErrNoAnswer.
func (d *Driver) Apply(ctx context.Context, ops []lvs.Op) []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	errs := make([]error, len(ops))
	for done := 0; done < len(ops); {
		n := d.together(ops[done:])
		batch, got := ops[done:done+n], errs[done:done+n]
		done += n
		if err := ctx.Err(); err != nil {
			for i := range got {
				got[i] = err
			}
			continue
		}
		d.send(batch, got)
		for i, op := range batch {
			if needsScheduler(op) {
				got[i] = d.withModules(ctx, op, got[i], n == 1)
			}
			got[i] = classify(op, got[i])
		}
	}
	return errs
}

// together returns how many of the first ops may be in flight together. One
// that may need a module first goes alone, so that it can be tried again before
// those behind it, which may depend on it, are sent.
func (d *Driver) together(ops []lvs.Op) int {
	for i, op := range ops[:min(len(ops), window)] {
		if needsScheduler(op) && !d.cfg.NoModules && d.unproven(op) {
			return max(i, 1)
		}
	}
	return min(len(ops), window)
}

func needsScheduler(op lvs.Op) bool { return op.Verb == lvs.AddService || op.Verb == lvs.SetService }

// modules are the kernel modules that the virtual server of an op needs.
func modules(s lvs.Service) []string {
	out := []string{"ip_vs_" + s.Scheduler}
	if e := s.Normal().Engine; e != "" {
		out = append(out, "ip_vs_pe_"+e)
	}
	return out
}

// withModules takes the answer to an op that names a scheduler, and perhaps a
// persistence engine. Alone, the op is sent again once a module could be loaded.
func (d *Driver) withModules(ctx context.Context, op lvs.Op, err error, alone bool) error {
	needed := modules(op.Service)
	for _, module := range needed {
		if !errors.Is(err, unix.ENOENT) || !alone || d.cfg.NoModules || d.load(ctx, module) != nil {
			continue
		}
		// The kernel asks modprobe for it by itself, but in its own root; in a
		// container only we may know where the modules are.
		d.cfg.Log.Info("loaded kernel module", "module", module)
		one := []error{nil}
		d.send([]lvs.Op{op}, one)
		err = one[0]
	}
	for _, module := range needed {
		switch {
		case err == nil:
			d.proven[module] = true
		case errors.Is(err, unix.ENOENT):
			delete(d.proven, module)
		}
	}
	return err
}

// unproven reports whether the kernel may lack a module that the op needs.
func (d *Driver) unproven(op lvs.Op) bool {
	return slices.ContainsFunc(modules(op.Service), func(m string) bool { return !d.proven[m] })
}

// send does at most window ops and fills in the kernel's errors.
func (d *Driver) send(ops []lvs.Op, errs []error) {
	reqs, places := make([]request, 0, len(ops)), make([]int, 0, len(ops))
	for i, op := range ops {
		r, err := encode(op)
		if err != nil {
			errs[i] = err
			continue
		}
		reqs, places = append(reqs, r), append(places, i)
	}
	if len(reqs) == 0 {
		return
	}
	answers := make([]error, len(reqs))
	if err := d.ready(); err != nil {
		for i := range answers {
			answers[i] = err
		}
	} else if !d.bulk.send(reqs, answers) {
		d.drop()
	}
	for i, err := range answers {
		errs[places[i]] = err
	}
}

// encode makes the request of an op.
func encode(op lvs.Op) (request, error) {
	s := toService(op.Service)
	var r request
	switch op.Verb {
	case lvs.AddService:
		r = newRequest(cmdNewService)
		r.service(s, true)
	case lvs.SetService:
		r = newRequest(cmdSetService)
		r.service(s, true)
	case lvs.RemoveService:
		r = newRequest(cmdDelService)
		r.service(s, false)
	case lvs.AddDest:
		r = newRequest(cmdNewDest)
		r.service(s, false)
		r.dest(toDest(op.Dest), true)
	case lvs.SetDest:
		r = newRequest(cmdSetDest)
		r.service(s, false)
		r.dest(toDest(op.Dest), true)
	case lvs.RemoveDest:
		r = newRequest(cmdDelDest)
		r.service(s, false)
		r.dest(toDest(op.Dest), false)
	default:
		return nil, fmt.Errorf("%w: verb %s", fs.ErrInvalid, op.Verb)
	}
	return r, nil
}

// classify gives the kernel's error the meaning that it has for that op
// (ip_vs_genl_set_cmd and the functions it calls). It is the only place that
// looks at errno values of IPVS.
func classify(op lvs.Op, err error) error {
	var means error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EEXIST):
		means = lvs.ErrExists
	case errors.Is(err, unix.ESRCH):
		means = lvs.ErrNoService
	case errors.Is(err, unix.ENOENT) && op.Verb.IsDest():
		means = lvs.ErrNotFound
	case errors.Is(err, unix.ENOENT):
		// The virtual server itself would be ESRCH.
		means = fmt.Errorf("%w: %s (kernel module %s)", lvs.ErrNoScheduler, op.Service.Scheduler, strings.Join(modules(op.Service), " or "))
	}
	op.Reason = ""
	if means == nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return fmt.Errorf("%s: %w: %w", op, means, err)
}
