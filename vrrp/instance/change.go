package instance

import (
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// pendingLink is a change of the interface that has not lasted long enough yet.
type pendingLink struct {
	known  bool // Watch has reported for the first time
	at     time.Time
	change Change
}

// changed handles what Host.Watch saw.
func (l *loop) changed(c Change) {
	switch c.Kind {
	case LinkUp, LinkDown:
		l.linkChanged(c)
	case AddressLost, RouteLost, AddressChanged:
		l.lost(c)
	case AddressFound:
		l.sighted(Sighting{Kind: HeldHere, Address: c.Address, Device: c.Device, At: time.Now()})
	case AddressGone:
		l.sighted(Sighting{Kind: GoneHere, Address: c.Address, Device: c.Device, At: time.Now()})
	}
}

// linkChanged debounces what the interface does. What is first reported, and an
// interface that is gone, is not waited for.
func (l *loop) linkChanged(c Change) {
	_, down := l.faults[faultLink]
	delay := time.Duration(0)
	switch {
	case !l.link.known, c.Gone:
	case c.Kind == LinkDown && !down:
		delay = l.r.cfg.LinkDownDelay
	case c.Kind == LinkUp && down:
		delay = l.r.cfg.LinkUpDelay
	}
	l.link = pendingLink{known: true}
	if delay > 0 {
		l.link.at, l.link.change = time.Now().Add(delay), c
		return
	}
	l.applyLink(c)
}

// linkSettled applies a change that has lasted.
func (l *loop) linkSettled(now time.Time) {
	if !l.link.at.IsZero() && !now.Before(l.link.at) {
		c := l.link.change
		l.link = pendingLink{known: true}
		l.applyLink(c)
	}
}

func (l *loop) applyLink(c Change) {
	if c.Kind == LinkUp || l.r.cfg.IgnoreLink && !c.Gone {
		l.setFault(faultLink, "") // it may have been away before
		return
	}
	l.setFault(faultLink, c.What)
	l.hangup()
}

// lost handles what somebody else did to the addresses of a master.
func (l *loop) lost(c Change) {
	l.step(vrrp.Timeout{}) // a master that is late has lost it to its lease, and steps down here
	if l.machine.State() != vrrp.Master || !l.installed {
		return
	}
	kind, count := TroubleAddressLost, &l.r.status.Counters.AddressesLost
	if c.Kind == RouteLost {
		kind, count = TroubleRouteLost, &l.r.status.Counters.RoutesLost
	}
	l.r.mu.Lock()
	*count++
	l.r.mu.Unlock()
	if l.r.cfg.OnLoss == LossStepDown && c.Kind != AddressChanged {
		l.trouble(kind, noPeer, func() string { return c.What + "; stepping down" })
		l.step(vrrp.StepDown{Why: c.What})
		return
	}
	l.trouble(kind, noPeer, func() string { return c.What + "; put back" })
	// A lease begins with an advert, or it could outlast the backups' patience.
	// During a handover none is sent, and the next master is heard in a moment.
	l.step(vrrp.Advertise{})
	if l.machine.State() != vrrp.Master || !l.installed {
		return
	}
	if c.Kind == AddressChanged {
		l.install(l.r.cfg.Host.Install)
	} else if l.machine.HandingOver() {
		l.install(l.r.cfg.Host.Renew)
	}
	if c.Kind != RouteLost {
		l.perform(vrrp.Announce{Rounds: 1})
	}
}
