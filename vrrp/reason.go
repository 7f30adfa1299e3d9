package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// Cause is why a state was entered.
type Cause uint8

// The causes.
const (
	CauseNone           Cause = iota
	CauseStarted              // Start
	CauseStopped              // Stop
	CauseOwner                // priority 255 does not wait
	CauseSilence              // the master-down timer ran out, no master heard
	CauseResigned             // the master sent priority 0
	CauseLowerMaster          // the master-down timer ran out while a master of lower priority sent
	CauseHigherPriority       // a master of higher priority was heard
	CauseHigherAddress        // equal priority, higher address
	CauseOtherOwner           // another owner (255) of the addresses does not yield to ours
	CauseLate                 // this router was late enough to have been replaced
	CauseHandedOver           // Handover, and the next master was heard
	CauseSteppedDown          // StepDown
	CauseFailed               // Failed
	CauseRecovered            // Recovered
	CauseGroup                // another member of the sync group did, and this one with it

	causes = iota
)

// Causes is the number of causes: the length of an array indexed by Cause.
const Causes = causes

// String is a short word for a metric or an event.
func (c Cause) String() string {
	switch c {
	case CauseNone:
		return "none"
	case CauseStarted:
		return "started"
	case CauseStopped:
		return "stopped"
	case CauseOwner:
		return "owner"
	case CauseSilence:
		return "silence"
	case CauseResigned:
		return "resigned"
	case CauseLowerMaster:
		return "lower-master"
	case CauseHigherPriority:
		return "higher-priority"
	case CauseHigherAddress:
		return "higher-address"
	case CauseOtherOwner:
		return "other-owner"
	case CauseLate:
		return "late"
	case CauseHandedOver:
		return "handed-over"
	case CauseSteppedDown:
		return "stepped-down"
	case CauseFailed:
		return "failed"
	case CauseRecovered:
		return "recovered"
	case CauseGroup:
		return "group"
	}
	return "unknown"
}

// Reason explains a change of state in terms an operator can check. It is
// comparable.
type Reason struct {
	Cause        Cause
	Peer         netip.Addr    // the other router, when there is one
	PeerPriority uint8         // priority in its advert
	Priority     uint8         // our effective priority at that moment
	After        time.Duration // CauseSilence, CauseLate: how long since the last advert
	Why          string        // CauseSteppedDown, CauseFailed, CauseRecovered, CauseGroup
}

// String is one sentence, without a full stop, for the log.
func (r Reason) String() string {
	switch r.Cause {
	case CauseNone:
		return ""
	case CauseStarted:
		return "started, listening for a master"
	case CauseStopped:
		return "stopped"
	case CauseOwner:
		return "owner of the addresses (priority 255)"
	case CauseSilence:
		if !r.Peer.IsValid() {
			return fmt.Sprintf("no advert from anybody for %s", seconds(r.After))
		}
		return fmt.Sprintf("no advert from %s for %s", r.Peer, seconds(r.After))
	case CauseResigned:
		return fmt.Sprintf("%s gave up mastership (priority 0)", r.Peer)
	case CauseLowerMaster:
		return fmt.Sprintf("priority %d of %s is lower than our %d", r.PeerPriority, r.Peer, r.Priority)
	case CauseHigherPriority:
		return fmt.Sprintf("priority %d of %s is higher than our %d", r.PeerPriority, r.Peer, r.Priority)
	case CauseHigherAddress:
		return fmt.Sprintf("%s has our priority %d and the higher address", r.Peer, r.Priority)
	case CauseOtherOwner:
		return fmt.Sprintf("%s says that it owns the addresses too (priority 255) and does not yield: one of the two configurations is wrong", r.Peer)
	case CauseLate:
		return fmt.Sprintf("%s since our last advert: a backup may have taken over, electing again", seconds(r.After))
	case CauseHandedOver:
		return fmt.Sprintf("handed over to %s (priority %d)", r.Peer, r.PeerPriority)
	case CauseSteppedDown, CauseFailed, CauseRecovered, CauseGroup:
		return r.Why
	}
	return r.Cause.String()
}

// seconds prints a duration with milliseconds: 3.609 s.
func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }
