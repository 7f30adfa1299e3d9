package instance

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

var noPeer netip.Addr

var errNoSocket = errors.New("no socket")

// step is the contract of vrrp.Machine: clock, Step, actions in order, and the
// clock again.
func (l *loop) step(event vrrp.Event) {
	now := time.Now()
	l.act(now, event)
	for _, peer := range l.peers {
		peer.heldUp(now)
	}
	for _, peer := range l.peers {
		peer.publish()
		tell := peer.r.cfg.OnRole
		for _, role := range peer.roles { // when all is done, and Status shows it
			peer.r.outbox.put(func() { tell(role) })
		}
		peer.roles = peer.roles[:0]
		peer.answerHandover()
	}
	if l.group != nil {
		l.group.publish()
	}
}

// act steps the machine, or its group, and performs what it says.
func (l *loop) act(now time.Time, event vrrp.Event) {
	if l.group != nil {
		l.group.act(l, now, event)
		return
	}
	for _, action := range l.machine.Step(now, event) {
		l.perform(action)
	}
}

// heldUp looks at the clock after a step that was decided at then. Held up for
// so long that a backup may have taken over, the machine steps down, and what
// was just installed or renewed comes off. Held up for so long that the lease
// may outlast the advert, another advert makes the backups wait longer.
func (l *loop) heldUp(then time.Time) {
	for range heldUpTries {
		if l.machine.State() != vrrp.Master {
			return
		}
		now := time.Now()
		var again vrrp.Event
		switch took := now.Sub(then); {
		case took >= l.replacedAfter:
			again = vrrp.Timeout{}
		case l.slack > 0 && took > l.slack:
			again = vrrp.Advertise{}
		default:
			return
		}
		l.act(now, again)
		then = now
	}
}

// heldUpTries bounds the adverts a host sends that is always too slow: its
// beat sends the next anyway.
const heldUpTries = 3

// perform does one action.
func (l *loop) perform(action vrrp.Action) {
	switch a := action.(type) {
	case vrrp.SendAdvert:
		// A lease is never renewed without an advert that left: a master nobody
		// hears will be replaced.
		switch {
		case !l.send(a.Priority), a.Priority == vrrp.PriorityResign, !l.installed:
		case l.anew:
			l.installAnew()
		default:
			l.install(l.r.cfg.Host.Renew)
			l.rearmGuard()
		}
	case vrrp.Enter:
		l.enter(a)
	case vrrp.Announce:
		for range a.Rounds {
			if !l.installed || l.anew || !l.hostBad.IsZero() {
				break
			}
			if err := l.r.cfg.Host.Announce(); err != nil {
				l.hostError("announce addresses", err)
				break
			}
			l.r.mu.Lock()
			l.r.status.Counters.Announcements++
			l.r.mu.Unlock()
		}
	}
}

// send sends one advert to the group or to every peer, and reports whether at
// least one left.
func (l *loop) send(priority uint8) bool {
	if l.reader == nil {
		l.failed("send advert", errNoSocket)
		return false
	}
	cfg := &l.r.cfg.VRRP
	now := time.Now()
	sent := 0
	var failure error
	one := func(to netip.Addr) {
		if err := l.reader.conn.Send(l.codec.Encode(now, l.reader.source(), to, priority), to); err != nil {
			failure = errors.Join(failure, err)
			return
		}
		sent++
	}
	if cfg.Unicast() {
		for _, peer := range l.codec.Peers() {
			one(peer)
		}
	} else {
		one(cfg.Group())
	}
	l.r.mu.Lock()
	c := &l.r.status.Counters
	c.Sent += uint64(sent)
	if priority == vrrp.PriorityResign {
		c.ResignsSent++
	}
	if failure != nil {
		c.SendErrors++
	} else {
		l.r.status.LastError = ""
	}
	l.r.mu.Unlock()
	if failure != nil {
		l.failed("send advert", failure)
	}
	return sent > 0
}

// enter performs a change of state.
func (l *loop) enter(e vrrp.Enter) {
	l.anew = false
	if e.State == vrrp.Master {
		l.installed = true
		l.hostBad = time.Time{}
		l.armGuard() // before there is something that it would have to take off
		l.install(l.r.cfg.Host.Install)
	} else {
		l.installed = false
		if err := l.r.cfg.Host.Remove(); err != nil {
			l.hostError("remove addresses", err)
		}
		l.disarmGuard()
	}
	if e.Reason.Cause == vrrp.CauseLate {
		l.r.mu.Lock()
		l.r.status.Counters.LateSteps++
		l.r.mu.Unlock()
		l.trouble(TroubleLate, noPeer, e.Reason.String)
	}
	clear(l.logged) // the master changes: what is still wrong is worth saying again

	now := time.Now()
	l.entered, l.left = now, e.Reason.Cause
	master, _ := l.machine.Master()
	role := Role{
		State: e.State, Reason: e.Reason, At: now,
		Priority: l.machine.Priority(), Master: master,
	}
	l.r.mu.Lock()
	s := &l.r.status
	role.Previous = s.State
	s.State, s.Reason, s.Since = e.State, e.Reason, now
	s.Present = l.installed && l.hostBad.IsZero()
	s.Counters.Transitions[e.State][e.Reason.Cause]++
	switch e.State {
	case vrrp.Master:
		s.Counters.ToMaster++
	case vrrp.Backup:
		s.Counters.ToBackup++
	case vrrp.Fault:
		s.Counters.ToFault++
	case vrrp.Init:
	}
	l.r.mu.Unlock()

	l.roleChanged(e.State)
	l.r.log.Info("state", "from", role.Previous, "to", role.State, "reason", e.Reason.String(), "priority", role.Priority)
	if l.r.cfg.OnRole != nil {
		l.roles = append(l.roles, role)
	}
}

// install installs or renews the addresses. When that has failed for as long
// as a backup would wait for us, mastership is worth nothing here: fault, so
// that another router gets its turn.
func (l *loop) install(do func(time.Duration) error) {
	err := do(l.lease)
	if errors.Is(err, ErrIncomplete) {
		l.hostError("install", err)
		err = nil
	}
	now := time.Now()
	l.r.mu.Lock()
	s := &l.r.status
	s.Present = err == nil
	if err == nil {
		s.Renewed = now
		s.Counters.Renewals++
	}
	l.r.mu.Unlock()
	if err == nil {
		if !l.hostBad.IsZero() {
			l.healKinds("the addresses are installed", TroubleHost)
		}
		l.hostBad = time.Time{}
		return
	}
	l.hostError("install addresses", err)
	if l.hostBad.IsZero() {
		l.hostBad = now
	}
	if now.Sub(l.hostBad) >= l.replacedAfter && l.hostAt.IsZero() {
		l.hostAt = now.Add(hostPause)
		why := "addresses cannot be installed: " + err.Error()
		l.r.inbox.put(func(l *loop) { l.setFault(faultHost, why) })
	}
}

// publish copies what the machine knows into the status.
func (l *loop) publish() {
	master, priority := l.machine.Master()
	l.r.mu.Lock()
	s := &l.r.status
	s.Priority = l.machine.Priority()
	changed := s.Master != master
	s.Master, s.MasterPriority = master, priority
	s.HandingOver = l.machine.HandingOver()
	s.Claiming = l.machine.Claiming()
	l.r.mu.Unlock()
	if changed {
		clear(l.logged)
	}
}

// answerHandover answers the callers of Handover when it is decided.
func (l *loop) answerHandover() {
	if len(l.waiters) == 0 || l.machine.HandingOver() {
		return
	}
	var err error
	if l.machine.State() == vrrp.Master {
		err = ErrNoPeer
	} else if !slices.ContainsFunc(l.peers, func(peer *loop) bool { return peer.left == vrrp.CauseHandedOver }) {
		err = ErrNotHeard
	}
	for _, w := range l.waiters {
		w <- err
	}
	l.waiters = nil
}

// failed notes an error in the status.
func (l *loop) failed(what string, err error) {
	l.r.mu.Lock()
	l.r.status.LastError = what + ": " + err.Error()
	l.r.status.LastErrorAt = time.Now()
	l.r.mu.Unlock()
	l.r.log.Debug(what, "error", err)
}

// hostError notes an error of the host.
func (l *loop) hostError(what string, err error) {
	l.failed(what, err)
	l.r.mu.Lock()
	l.r.status.Counters.HostErrors++
	l.r.mu.Unlock()
	l.trouble(TroubleHost, noPeer, func() string { return what + ": " + err.Error() })
}

// source is the address of the socket, invalid without one.
func (rd *reader) source() netip.Addr {
	if rd == nil {
		return noPeer
	}
	return rd.conn.Source()
}
