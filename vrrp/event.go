package vrrp

import (
	"net/netip"
	"time"
)

// State is the state of a virtual router (RFC 9568 section 6.3), plus Fault.
type State uint8

// The states. Fault is RFC's Initialize entered by a fault instead of a stop:
// the router waits for Recover.
const (
	Init State = iota
	Backup
	Master
	Fault

	states = iota
)

// States is the number of states: the length of an array indexed by State.
const States = states

// String is the word used in logs, status and by keepalived's notify scripts.
func (s State) String() string {
	switch s {
	case Init:
		return "INIT"
	case Backup:
		return "BACKUP"
	case Master:
		return "MASTER"
	case Fault:
		return "FAULT"
	}
	return "UNKNOWN"
}

// Event is what happens to a Machine: Start, Stop, Received, Timeout,
// SetPriority, Advertise, Reconfigure, Handover, StepDown, Failed or Recovered.
type Event interface{ event() }

// Start leaves Init. Source is the address adverts are sent from, which breaks
// ties between equal priorities.
type Start struct{ Source netip.Addr }

// Stop goes to Init, resigning when master.
type Stop struct{}

// Received is an advert that Codec.Decode accepted.
type Received struct {
	Source   netip.Addr
	Priority uint8
	Interval time.Duration
}

// Timeout says that Deadline may have passed. When it has not, nothing happens.
type Timeout struct{}

// SetPriority changes the effective priority, clamped to 1..254, at once. The
// owner (255) keeps its priority.
type SetPriority struct{ Priority uint8 }

// Advertise makes a master send an advert now, out of its beat: before a pause
// that is foreseen, or when the last lease was renewed so late after its advert
// that it would outlast it (see the package comment).
type Advertise struct{}

// Handover makes a master give up on purpose. It sends two adverts and priority
// 0 and keeps the addresses until it hears the next master, so that clients see
// no gap but the round trip of that one's claim; when nobody answers, it remains
// master. Afterwards every master is accepted
// for Hold, whatever its priority; then the normal rules apply, so a router of
// higher priority that preempts comes back. The zero Hold is HandoverHold.
// In other states nothing happens.
type Handover struct{ Hold time.Duration }

// StepDown makes a master resign and take part in the next election, as backup
// with a full master-down time. In other states nothing happens.
type StepDown struct{ Why string }

// Failed takes the router out of the election, or keeps it from starting;
// a master resigns.
type Failed struct{ Why string }

// Recovered brings it back as backup. Source is as in Start.
type Recovered struct {
	Source netip.Addr
	Why    string
}

func (Start) event()       {}
func (Stop) event()        {}
func (Received) event()    {}
func (Timeout) event()     {}
func (SetPriority) event() {}
func (Advertise) event()   {}
func (Handover) event()    {}
func (StepDown) event()    {}
func (Failed) event()      {}
func (Recovered) event()   {}

// Action is what the caller of Step must do: SendAdvert, Enter or Announce.
type Action interface{ action() }

// SendAdvert: send one advert with this priority, now. After an advert with a
// priority other than 0 the leases of the addresses are renewed.
type SendAdvert struct{ Priority uint8 }

// Enter: the state changed. On Master install the addresses, on any other
// state take them off.
type Enter struct {
	State  State
	Reason Reason
}

// Announce: announce all addresses Rounds times (gratuitous ARP, unsolicited
// neighbour advertisement).
type Announce struct{ Rounds int }

func (SendAdvert) action() {}
func (Enter) action()      {}
func (Announce) action()   {}
