//go:build linux

// Package fwmark gives packets the firewall marks that virtual servers of groups
// go by, with nftables (Linux 5.6 or later, for its maps of ranges): a group of
// addresses and ports is one virtual server of the kernel's IPVS.
//
// Everything is in one table of family inet, which is ours alone: a map per
// family, from address, protocol and port to the mark, and a rule per family in
// each of two chains, so that a packet costs one look-up however many groups
// there are. The table is replaced as a whole, in one transaction: no packet
// ever sees a part of it.
//
// A mark that a packet has already is overwritten, when it is for a group; no
// other packet is touched.
//
// It works in the network namespace of the calling thread, and needs
// CAP_NET_ADMIN.
package fwmark

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// TableName is the name of the nftables table (family inet).
const TableName = "edgekeeper_fwmark"

// kernelTimeout bounds each exchange with nftables, which takes milliseconds.
const kernelTimeout = 5 * time.Second

// Rules are the rules of this host. Their methods may be called from many
// goroutines.
type Rules struct {
	mu      sync.Mutex
	present bool // the table may be in the kernel
	known   bool // wrote is what we left there
	wrote   []lvs.Marking
}

// New returns the rules of a host. Leftover says that an earlier run may have
// left its table behind. Nothing is done before Ensure.
func New(leftover bool) *Rules { return &Rules{present: leftover} }

// Ensure makes the table what is wanted, and removes it when nothing is. It
// reports whether it had to write, and, when the table was not as it was left by
// the last call, what somebody else had done to it. With nothing wanted and no
// table left behind it does not speak to the kernel at all.
func (r *Rules) Ensure(ctx context.Context, want []lvs.Marking) (wrote bool, drift string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return false, "", err
	}
	want = slices.SortedFunc(slices.Values(want), lvs.Marking.Compare)
	if len(want) == 0 {
		if !r.present {
			return false, "", nil
		}
		if err := remove(); err != nil {
			return false, "", fmt.Errorf("remove nftables table %s: %w", TableName, err)
		}
		r.present, r.known, r.wrote = false, false, nil
		return true, "", nil
	}
	differs, err := compare(want)
	if err != nil {
		return false, "", fmt.Errorf("read nftables table %s: %w", TableName, err)
	}
	if differs == "" {
		r.present, r.known, r.wrote = true, true, want
		return false, "", nil
	}
	if r.known && slices.Equal(r.wrote, want) {
		drift = differs
	}
	r.present = true // even a failure may have got through
	if err := replace(want); err != nil {
		return false, drift, fmt.Errorf("write nftables table %s: %w", TableName, err)
	}
	r.known, r.wrote = true, want
	return true, drift, nil
}

// Remove takes the table off on behalf of somebody who is gone. One that is not
// there is no error.
func Remove() error {
	if err := remove(); err != nil {
		return fmt.Errorf("remove nftables table %s: %w", TableName, err)
	}
	return nil
}

// errOverlap is for markings that no map can hold: the configuration refuses
// them with a better sentence.
var errOverlap = errors.New("two groups claim the same address and port")

// disjoint refuses markings that contradict each other.
func disjoint(want []lvs.Marking) error {
	for i, a := range want {
		for _, b := range want[i+1:] {
			if a.Protocol == b.Protocol && a.Span.Overlaps(b.Span) {
				return fmt.Errorf("%w: %s and %s", errOverlap, a, b)
			}
		}
	}
	return nil
}

// describe names a few of what is missing and what is too many.
func describe(missing, extra []string) string {
	var out []string
	for _, side := range []struct {
		list []string
		word string
	}{{missing, "missing"}, {extra, "not ours"}} {
		if n := len(side.list); n > 0 {
			text := side.word + ": " + strings.Join(side.list[:min(n, 3)], ", ")
			if n > 3 {
				text += fmt.Sprintf(" and %d more", n-3)
			}
			out = append(out, text)
		}
	}
	return strings.Join(out, "; ")
}
