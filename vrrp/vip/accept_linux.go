package vip

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

// denial is the part of a master that does not accept packets to its virtual
// addresses (RFC 9568 section 6.1, Accept_Mode false): they are dropped at the
// input hook. What is forwarded is not concerned, and neither is ARP.
type denial struct {
	addresses []netip.Addr
	log       *slog.Logger

	mu   sync.Mutex // present is called from Watch too
	good bool       // it was there when the ruleset was of generation seen
	seen uint32
}

func (d *denial) String() string {
	return fmt.Sprintf("nftables drop of packets to %v", d.addresses)
}

func (d *denial) essential() bool { return true }
func (d *denial) tracked() bool   { return true }

// install puts the rules there. A renewal asks the kernel for one number and is
// done, unless somebody has changed the ruleset of the host since.
func (d *denial) install(*Host, time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.good
	if there, err := d.look(); there && err == nil {
		return nil
	}
	if was {
		d.log.Warn("somebody removed our nftables rules", "addresses", d.addresses)
	}
	if err := filterAdd(d.addresses); err != nil {
		return err
	}
	_, err := d.look()
	return err
}

// look finds out whether the rules are there, with mu held.
func (d *denial) look() (bool, error) {
	generation, err := filterGeneration()
	if err != nil {
		return false, err
	}
	if d.good && generation == d.seen {
		return true, nil
	}
	there, generation, err := filterLook(func() (bool, error) { return filterHas(d.addresses) })
	d.good, d.seen = there && err == nil, generation
	return d.good, err
}

func (d *denial) present(*netlink.Handle) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.look()
}

func (d *denial) remove(*netlink.Handle) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.good = false
	err := filterDelete(d.addresses)
	if err == nil {
		err = filterTidy()
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", d, err)
	}
	return nil
}

func (d *denial) record(s *state) { s.Denied = append(s.Denied, d.addresses...) }

// probe finds out whether the kernel takes the rules, before anybody relies on
// them.
func (d *denial) probe() error {
	err := filterAdd(nil)
	if err == nil {
		err = filterTidy()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d, err)
	}
	return nil
}
