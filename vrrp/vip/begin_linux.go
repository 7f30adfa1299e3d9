package vip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// before are the parts that come before the addresses: what carries them, and
// what keeps packets from them.
func (h *Host) before() []part {
	var out []part
	for _, v := range h.cfg.VMACs {
		m := macvlan{VMAC: v, instance: h.cfg.Name}
		m.ipv6 = slices.ContainsFunc(h.targets, func(t target) bool { return t.device == v.Name && t.address.Prefix.Addr().Is6() })
		h.links = append(h.links, m)
		out = append(out, m)
	}
	if h.cfg.NoAccept {
		var list []netip.Addr
		for _, t := range h.targets {
			list = append(list, t.address.Prefix.Addr())
		}
		h.denial = &denial{addresses: list, log: h.log}
		out = append(out, h.denial)
	}
	return out
}

// begin removes what a predecessor left, records what may be installed, and
// makes what is there for the life of the host. What cannot work on this host is
// an error now, and not first at a failover.
func (h *Host) begin() error {
	if h.cfg.StateFile != "" {
		if err := Cleanup(h.cfg.StateFile); err != nil {
			h.log.Warn("clean up leftovers", "error", err)
		}
	}
	if !h.cfg.Passive {
		// Before the record could claim an interface of somebody else.
		for _, m := range h.links {
			if _, err := m.find(h.nl); err != nil {
				return fmt.Errorf("make VMAC %s: %w", m.Name, err)
			}
		}
	}
	if h.cfg.StateFile != "" {
		if err := h.write(nil); err != nil {
			return err
		}
	}
	if h.cfg.Passive {
		return nil
	}
	var errs []error
	for _, m := range h.links {
		if err := m.prepare(h.nl); err != nil {
			errs = append(errs, fmt.Errorf("make VMAC %s: %w", m.Name, err))
		}
	}
	if h.denial != nil {
		errs = append(errs, h.denial.probe())
	}
	err := errors.Join(errs...)
	if err != nil {
		err = errors.Join(err, h.end())
		if h.cfg.StateFile != "" {
			err = errors.Join(err, removeState(h.cfg.StateFile))
		}
	}
	return err
}

// end removes what begin made.
func (h *Host) end() error {
	if h.cfg.Passive {
		return nil
	}
	var errs []error
	for _, m := range h.links {
		if err := m.delete(h.nl); err != nil && !errors.Is(err, ErrForeignInterface) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// carries reports whether a VMAC of ours has the name.
func (h *Host) carries(name string) bool {
	return slices.ContainsFunc(h.links, func(m macvlan) bool { return m.Name == name })
}
