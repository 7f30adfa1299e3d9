package show

import (
	"fmt"
	"io"
	"strings"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// peers writes where adverts go by unicast; nothing when they are multicast.
func peers(w io.Writer, s control.Snapshot) error {
	t := table(w, "UNICAST PEERS", "FROM", "ADDRESS")
	some := false
	for _, r := range s.VRRP {
		if r.Peers == nil {
			continue
		}
		some = true
		name, from := r.Name, r.Peers.From
		for _, a := range r.Peers.Addresses {
			t.row(name, from, a.String())
			name, from = "", ""
		}
		if len(r.Peers.Addresses) == 0 {
			t.row(name, from, "none known")
		}
	}
	if !some {
		return nil
	}
	fmt.Fprintln(w)
	return t.flush()
}

// authentication writes which VRRP instances sign their adverts, and whether all
// others do; nothing when none does.
func authentication(w io.Writer, s control.Snapshot) error {
	t := table(w, "SIGNED ADVERTS", "MODE", "KEYS", "SIGNS WITH", "HEARD SIGNED", "HEARD UNSIGNED")
	some := false
	for _, r := range s.VRRP {
		a := r.Authentication
		if a == nil {
			continue
		}
		some = true
		with := fmt.Sprint(a.ActiveKey)
		if a.Mode == "receive-only" {
			with = "-"
		}
		t.row(r.Name, a.Mode, strings.Trim(fmt.Sprint(a.Keys), "[]"), with, fmt.Sprint(a.Signed), fmt.Sprint(a.Unsigned))
	}
	if !some {
		return nil
	}
	fmt.Fprintln(w)
	return t.flush()
}
