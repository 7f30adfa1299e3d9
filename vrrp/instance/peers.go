package instance

import (
	"net/netip"
	"slices"
)

// beginPeers keeps a router out of the election whose peers are not known yet:
// heard by nobody, it would only become a second master.
func (l *loop) beginPeers() {
	if cfg := &l.r.cfg.VRRP; cfg.DynamicPeers && len(cfg.Peers) == 0 {
		l.setFault(faultPeers, "no unicast peer is known yet")
	}
}

func (l *loop) setPeers(peers []netip.Addr, why string) {
	before := l.codec.Peers()
	switch {
	case len(peers) == 0 && len(before) == 0:
		l.setFault(faultPeers, why)
		return
	case len(peers) == 0, slices.Equal(peers, before):
		return
	}
	if err := l.codec.SetPeers(peers); err != nil {
		l.failed("set unicast peers", err)
		return
	}
	l.r.mu.Lock()
	l.r.status.Peers = l.codec.Peers() // a new list each time
	l.r.mu.Unlock()
	l.r.log.Info("unicast peers", "from", before, "to", peers, "reason", why)
	l.setFault(faultPeers, "")
	if l.installed {
		l.armGuard()
	}
}
