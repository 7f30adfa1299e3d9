package instance

import (
	"net/netip"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// armGuard tells the guard what to do when we die as master.
func (l *loop) armGuard() {
	guard, cfg := l.r.cfg.Guard, &l.r.cfg.VRRP
	if guard == nil || l.reader == nil {
		return
	}
	var resign []Datagram
	now := time.Now()
	// A packet with an authentication header carries a sequence number, and the
	// next ones are ours to use.
	if source := l.reader.source(); cfg.Auth.Type != vrrp.AuthAH {
		to := l.codec.Peers()
		if !cfg.Unicast() {
			to = []netip.Addr{cfg.Group()}
		}
		for _, peer := range to {
			resign = append(resign, Datagram{peer, slices.Clone(l.codec.Encode(now, source, peer, vrrp.PriorityResign))})
		}
	}
	// The last advert may be an interval older than the last sign of life.
	guard.Arm(l.reader.source(), resign, l.replacedAfter-cfg.Interval)
}

// rearmGuard gives the guard a resignation that is newer than the last advert:
// whoever checks sequences would refuse the one of before.
func (l *loop) rearmGuard() {
	if l.codec.Signs() {
		l.armGuard()
	}
}

func (l *loop) disarmGuard() {
	if guard := l.r.cfg.Guard; guard != nil {
		guard.Disarm()
	}
}
