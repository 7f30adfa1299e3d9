package vip

import (
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
)

// part is one thing that a master has on its host and a backup has not: an
// address, for example. A Host installs its parts in order, renews them in
// order with each advert, and removes them in the opposite order; Cleanup
// removes what the state file of a dead Host names.
//
// Its methods are called from the VRRP loop, present also from Watch; they wait
// for nothing but the kernel.
type part interface {
	// String names it in errors and events: "192.0.2.1/24 on eth0".
	fmt.Stringer
	// essential: without it this host is no use as master. An error of another
	// part is reported, and the addresses stay.
	essential() bool
	// tracked: put back at each renewal, and watched.
	tracked() bool
	// install puts it there, or sets it right when it is there already: it is
	// called at each renewal. A part that the kernel can give a lifetime gets
	// that of the lease; zero is none.
	install(h *Host, lease time.Duration) error
	// remove takes it off. Absence, also of its interface, is no error. It needs
	// what record has written, and nothing else.
	remove(nl *netlink.Handle) error
	// present reads back whether it is there.
	present(nl *netlink.Handle) (bool, error)
	// record puts what remove needs into the content of the state file.
	record(s *state)
}
