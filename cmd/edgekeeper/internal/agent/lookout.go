package agent

import (
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// Lookout looks for the addresses of a virtual router where they should not be;
// vrrp/conflict has the real one.
type Lookout interface {
	instance.Lookout
	// SetInterval changes the time between probes; 0: none are sent.
	SetInterval(time.Duration)
}

// adjust changes in place what differs between running routers and their
// configurations.
func adjust(running []*router, want []config.VRRP) {
	for _, x := range running {
		i := slices.IndexFunc(want, func(w config.VRRP) bool { return w.Router.Name == x.cfg.Router.Name })
		if d := want[i].ConflictProbe; d != x.cfg.ConflictProbe {
			x.cfg.ConflictProbe = d
			x.lookout.SetInterval(d)
		}
	}
}
