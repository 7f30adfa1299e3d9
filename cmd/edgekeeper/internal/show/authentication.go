package show

import (
	"fmt"
	"io"
	"strings"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

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
