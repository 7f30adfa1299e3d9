package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"
)

// errMade: what is made when a Host is opened, and is there until it is closed,
// cannot become another.
var errMade = errors.New("VMACs and NoAccept cannot change")

// Succeed gives the Host for another configuration of the same virtual router,
// on the same interface: other addresses, routes, rules, announcements. What
// both have stays where it is; what only h has comes off with the first Install
// or Remove of the new one. The state file names both from now on, until Settle.
//
// The two share what they have open. h may go on, if the change is given up
// (then Settle of h puts the record right); once the new one has been used, h
// must not be, and it is the new one that is closed.
func (h *Host) Succeed(cfg Config) (*Host, error) {
	cfg.StateFile, cfg.Monitor, cfg.Pacer = h.cfg.StateFile, h.monitor, h.pacer
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	next := newHost(cfg, h.nl, h.now, h.renewer)
	next.former = h
	if !reflect.DeepEqual(h.links, next.links) || h.cfg.NoAccept != cfg.NoAccept || h.cfg.Interface != cfg.Interface {
		return nil, fmt.Errorf("reconfigure addresses of %s: %w", cfg.Name, errMade)
	}
	for _, p := range h.parts {
		switch p := p.(type) {
		case macvlan: // in both
		case *denial: // not compared as a whole: the loop uses it meanwhile
			if gone := p.without(next.denial); len(gone.addresses) > 0 {
				next.left = append(next.left, gone)
			}
		default:
			if !slices.ContainsFunc(next.parts, func(q part) bool { return reflect.DeepEqual(p, q) }) {
				next.left = append(next.left, p)
			}
		}
	}
	if err := next.write(next.left); err != nil {
		return nil, err
	}
	return next, nil
}

// without is what is denied by d and not by next.
func (d *denial) without(next *denial) *denial {
	gone := &denial{log: d.log}
	for _, ip := range d.addresses {
		if !slices.Contains(next.addresses, ip) {
			gone.addresses = append(gone.addresses, ip)
		}
	}
	return gone
}

// Settle writes the state file anew, with what this host installs and nothing
// else. It waits for the disk, so it is not for the loop.
func (h *Host) Settle() error { return h.write(nil) }

// write records what this host may install, and what else may be there.
func (h *Host) write(more []part) error {
	if h.cfg.StateFile == "" {
		return nil
	}
	return writeState(h.cfg.StateFile, h.cfg.Name, slices.Concat(more, h.parts))
}

// succeed takes off what only the host before has had. As a master it is
// called when all of ours is there, and puts that there again: an IPv4 address
// takes others of its subnet with it when it goes, and an address or route that
// has changed comes back in its new form.
func (h *Host) succeed(master bool, lease time.Duration) error {
	if h.former != nil {
		h.former.setHolding(leaves) // what goes now is nobody's loss, and not announced
		h.former = nil
	}
	if len(h.left) == 0 {
		return nil
	}
	var errs []error
	var stay []part
	for _, p := range slices.Backward(h.left) {
		if err := p.remove(h.nl); err != nil {
			errs = append(errs, err)
			stay = slices.Insert(stay, 0, p) // for the next time
		}
	}
	h.left = stay
	if master {
		h.forget()
		errs = append(errs, h.put(lease, func(part) bool { return true }))
	}
	return errors.Join(errs...)
}
