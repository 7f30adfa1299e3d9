package vrrp

import (
	"net/netip"
	"time"
)

// Machine is the state machine of one virtual router (RFC 9568 section 6.4).
// It is a value with no clock, no socket and no lock: Step takes the time and
// an event and returns what must be done. See the package comment for the
// contract. It is not safe for concurrent use.
type Machine struct {
	cfg      Config
	state    State
	source   netip.Addr
	priority uint8 // effective

	// As backup.
	interval   time.Duration   // the master's; version 3 learns it from adverts
	down       time.Time       // the master-down timer
	graced     bool            // this timer was already extended after a late wake-up
	heard      time.Time       // when down was last restarted by an advert, or Backup entered
	resigned   bool            // the master sent priority 0
	graceful   bool            // and holds the addresses until it hears its successor
	recent     [recents]recent // adverts of the last routers heard, the last first
	lower      Received        // last advert refused because its priority is lower
	lowerAt    time.Time       // when that was heard
	preemptAt  time.Time       // PreemptDelay ends; zero while no lower master is heard
	yieldUntil time.Time       // after a handover: any master is accepted until then

	// As backup that claims the addresses (claim.go).
	claimUntil time.Time    // end of the claim; zero: not claiming
	claimWhy   Reason       // what Enter will say then
	awaited    []netip.Addr // routers that must let go before

	// As member of a sync group (group.go).
	member bool // a Group decides when to take over
	wants  bool // the master-down timer has run out; down is when to look again
	won    bool // the claim has succeeded, the other members' may not have

	// As master, and while claiming.
	sent      time.Time     // last advert with our priority
	advertAt  time.Time     // next one; while handing over, the end of waiting
	handing   bool          // priority 0 was sent, waiting for the next master
	hold      time.Duration // Hold of that handover
	secondAt  time.Time     // second set of announcements
	seconds   int           // its rounds
	refreshAt time.Time
	rogue     rogue // another owner, while we are one

	master         netip.Addr // who was last accepted as master; us when we are
	masterPriority uint8

	actions []Action
}

// NewMachine returns a machine in Init, or the error of cfg.Validate.
func NewMachine(cfg Config) (*Machine, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Machine{cfg: cfg, priority: cfg.Priority, interval: cfg.Interval}, nil
}

// State is the present state.
func (m *Machine) State() State { return m.state }

// Config is the configuration with its defaults filled in.
func (m *Machine) Config() Config { return m.cfg }

// Priority is the effective priority.
func (m *Machine) Priority() uint8 { return m.priority }

// Master is the router last accepted as master and the priority in its advert;
// ourselves when we are master, the zero Addr when none was heard.
func (m *Machine) Master() (netip.Addr, uint8) { return m.master, m.masterPriority }

// HandingOver reports whether the machine resigned by Handover and waits for
// the next master. It is still master then.
func (m *Machine) HandingOver() bool { return m.handing }

// Deadline is when Step wants to see a Timeout; zero means never. It changes
// with every Step.
func (m *Machine) Deadline() time.Time {
	switch m.state {
	case Backup:
		if m.Claiming() {
			return m.claimUntil
		}
		return m.down
	case Master:
		return earliest(m.advertAt, m.secondAt, m.refreshAt)
	case Init, Fault:
	}
	return time.Time{}
}

// Step applies one event that happens at now. The actions are to be performed
// in order; the slice is valid until the next Step.
//
// A master whose last advert is older than Config.ReplacedAfter may have been
// replaced while it was late. Whatever the event is, it then becomes backup
// first: it sends nothing and takes its addresses off, and elects again. So does
// a router that claims.
func (m *Machine) Step(now time.Time, event Event) []Action {
	m.actions = m.actions[:0]
	m.checkLate(now)
	switch ev := event.(type) {
	case Start:
		if m.state == Init {
			m.source = ev.Source
			m.begin(now, Reason{Cause: CauseStarted})
		}
	case Recovered:
		if m.state == Fault {
			m.source = ev.Source
			m.begin(now, Reason{Cause: CauseRecovered, Why: ev.Why})
		}
	case Stop:
		m.leave(Init, Reason{Cause: CauseStopped})
	case Failed:
		m.leave(Fault, Reason{Cause: CauseFailed, Why: ev.Why})
	case Received:
		zero := m.observe(now, ev)
		switch m.state {
		case Backup:
			if m.Claiming() {
				m.claimReceived(now, ev, zero)
			} else {
				m.backupReceived(now, ev, zero)
			}
		case Master:
			m.masterReceived(now, ev)
		case Init, Fault:
		}
	case Timeout:
		switch m.state {
		case Backup:
			if m.Claiming() {
				m.claimTimeout(now)
			} else {
				m.backupTimeout(now)
			}
		case Master:
			m.masterTimeout(now)
		case Init, Fault:
		}
	case SetPriority:
		m.setPriority(ev.Priority)
	case Advertise:
		if m.state == Master && !m.handing {
			m.advertise(now)
		}
	case Reconfigure:
		m.reconfigure(now, ev.Config)
	case Handover:
		if m.state == Master && !m.handing {
			m.startHandover(now, ev.Hold)
		}
	case StepDown:
		if m.state == Master && !m.handing {
			m.stepDown(now, ev.Why)
		}
	}
	return m.actions
}

// checkLate comes before every event: a router that may have been replaced says
// nothing more.
func (m *Machine) checkLate(now time.Time) {
	late := now.Sub(m.sent) >= m.cfg.ReplacedAfter()
	if m.state == Master && late {
		m.enterBackup(now, m.cfg.Interval, Reason{Cause: CauseLate, After: now.Sub(m.sent)})
	}
	if m.Claiming() && late {
		m.abandon(now, m.cfg.Interval)
		m.master, m.masterPriority = netip.Addr{}, 0
	}
}

// begin leaves Init or Fault (RFC 9568 section 6.4.1).
func (m *Machine) begin(now time.Time, why Reason) {
	m.master, m.masterPriority = netip.Addr{}, 0
	m.restoreOwner()
	if m.priority == PriorityOwner {
		m.claim(now, Reason{Cause: CauseOwner})
		return
	}
	m.enterBackup(now, m.cfg.Interval, why)
}

// leave goes to Init or Fault, resigning when master or about to be.
func (m *Machine) leave(to State, why Reason) {
	if m.state == to {
		return
	}
	if m.state == Master && !m.handing || m.Claiming() {
		m.do(SendAdvert{PriorityResign})
	}
	m.forget()
	m.enter(to, why)
}

// forget clears what belongs to one term as backup or master.
func (m *Machine) forget() {
	*m = Machine{
		cfg: m.cfg, state: m.state, source: m.source, priority: m.priority, interval: m.cfg.Interval,
		master: m.master, masterPriority: m.masterPriority, recent: m.recent, actions: m.actions,
		member: m.member,
	}
}

func (m *Machine) enter(s State, why Reason) {
	m.state = s
	why.Priority = m.priority
	m.do(Enter{State: s, Reason: why})
}

func (m *Machine) do(a Action) { m.actions = append(m.actions, a) }

// enterBackup starts the master-down timer with the given interval.
func (m *Machine) enterBackup(now time.Time, interval time.Duration, why Reason) {
	m.forget()
	m.interval = interval
	m.restart(now)
	if !why.Peer.IsValid() { // left on our own account: no master is known
		m.master, m.masterPriority = netip.Addr{}, 0
	}
	m.enter(Backup, why)
}

// enterMaster sends an advert, then takes the addresses, then announces them
// (RFC 9568 section 6.4.2 (m), with the advert first as keepalived does: peers
// that are still backup hear it before any client hears of the addresses). That
// holds after a claim too: the lease begins now, so the backups' timers must.
func (m *Machine) enterMaster(now time.Time, why Reason) {
	m.forget()
	m.master, m.masterPriority = m.source, m.priority
	m.advertise(now)
	m.enter(Master, why)
	m.announce(now, m.cfg.Announce.Repeat, m.cfg.Announce.Delay)
	if m.cfg.Announce.Refresh > 0 {
		m.refreshAt = now.Add(m.cfg.Announce.Refresh)
	}
}

// advertise sends our priority. The schedule keeps its beat unless this advert
// is more than half an interval off it.
func (m *Machine) advertise(now time.Time) {
	m.do(SendAdvert{m.priority})
	if m.state == Master {
		m.masterPriority = m.priority
	}
	m.sent = now
	next := m.advertAt.Add(m.cfg.Interval)
	if off := next.Sub(now); off < m.cfg.Interval/2 || off > m.cfg.Interval {
		next = now.Add(m.cfg.Interval)
	}
	m.advertAt = next
}

// announce does a set of rounds now and schedules the second one.
func (m *Machine) announce(now time.Time, rounds int, delay time.Duration) {
	m.do(Announce{rounds})
	m.secondAt, m.seconds = time.Time{}, rounds
	if delay > 0 {
		m.secondAt = now.Add(delay)
	}
}

// restart starts the master-down timer.
func (m *Machine) restart(now time.Time) {
	m.heard = now
	m.down = now.Add(m.cfg.Version.MasterDown(m.interval, m.cfg.DownMultiplier, m.priority))
	m.graced = false
	m.resigned, m.graceful = false, false
	m.wants = false
}

// earliest is the first of the times that are set.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// due reports whether a timer is set and has run out.
func due(now, timer time.Time) bool { return !timer.IsZero() && !now.Before(timer) }
