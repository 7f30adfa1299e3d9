package instance

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Lookout looks, beside the loop, whether the virtual addresses are where they
// should not be. vrrp/conflict has the real one.
type Lookout interface {
	// Run looks until ctx ends, and then returns nil. report does not block. On
	// an error it is called again after a pause.
	Run(ctx context.Context, report func(Sighting)) error
	// Follow is called by the loop after each change of state: holding says that
	// the addresses are on this host by our doing. It must return at once.
	Follow(holding bool)
	// Quiet is how long something must not be reported again to be over.
	Quiet() time.Duration
}

// Sighting is what a Lookout saw.
type Sighting struct {
	Kind    SightingKind
	Address netip.Addr // the virtual address
	Device  string     // where it was seen
	MAC     string     // OtherHolder: who answers for it
	How     string     // OtherHolder: what it did for the address, such as "answered our probe"
	Source  netip.Addr // OtherAuth: the router
	Auth    string     // OtherAuth: its authentication type
	// At is when looking began. What was seen before the last change of state
	// says nothing about the present one.
	At time.Time
}

// SightingKind says what a Sighting is about.
type SightingKind uint8

// The kinds of sightings.
const (
	// OtherHolder: a MAC of another host answers for the address.
	OtherHolder SightingKind = iota + 1
	// HeldHere: the address is on an interface of this host while Follow(false).
	HeldHere
	// GoneHere: it no longer is.
	GoneHere
	// OtherAuth: an advert of our virtual router came with an authentication
	// header although we use none, or without one although we use it. The socket
	// of the virtual router does not hear those.
	OtherAuth
)

// lookOut keeps Lookout.Run running. What keeps failing is logged once.
func (r *Runner) lookOut(ctx context.Context, w Lookout) {
	if w == nil {
		return
	}
	last := ""
	for {
		err := w.Run(ctx, func(s Sighting) {
			r.inbox.put(func(l *loop) {
				if l.r.cfg.Lookout == w {
					l.sighted(s)
				}
			})
		})
		if ctx.Err() != nil {
			return
		}
		if text := fmt.Sprint(err); text != last {
			last = text
			r.log.Warn("look out for address conflicts", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchPause):
		}
	}
}

// roleChanged ends what can no longer be, and tells the lookout.
func (l *loop) roleChanged(s vrrp.State) {
	if s == vrrp.Master {
		clear(l.present)
		l.healKinds("this router is master now", TroubleBackupHolds, TroubleSplitBrain)
	} else {
		l.healKinds("this router is "+s.String()+" now", TroubleSecondMaster, TroubleConflict)
	}
	if w := l.r.cfg.Lookout; w != nil {
		w.Follow(l.installed)
	}
}

// sighted judges what the lookout saw.
func (l *loop) sighted(s Sighting) {
	master := l.machine.State() == vrrp.Master
	if s.Kind != OtherAuth && s.At.Before(l.entered) {
		return
	}
	switch s.Kind {
	case OtherHolder:
		if master {
			l.doubt(s)
			return
		}
		if at, here := l.heldHere(s.Address); here && l.masterLives() {
			peer, priority := l.machine.Master()
			l.sight(troubleKey{kind: TroubleSplitBrain, peer: peer, address: s.Address}, func() string {
				return fmt.Sprintf("%s is on this host (%s) although it is %s, while the master %s (priority %d) is heard and %s %s",
					s.Address, at, l.machine.State(), peer, priority, s.MAC, verb(s))
			})
		}
	case HeldHere:
		if !master {
			l.present[s.Address] = s.Device
			l.sight(troubleKey{kind: TroubleBackupHolds, address: s.Address}, func() string {
				return fmt.Sprintf("%s is on %s of this host although it is %s", s.Address, s.Device, l.machine.State())
			})
		}
	case GoneHere:
		delete(l.present, s.Address)
		l.heal(time.Now(), func(t *Trouble) (string, bool) {
			return "the address is no longer on this host",
				(t.Kind == TroubleBackupHolds || t.Kind == TroubleSplitBrain) && t.Address == s.Address
		})
	case OtherAuth:
		l.r.mu.Lock()
		l.r.status.Counters.Dropped[vrrp.DropAuthType]++
		l.r.mu.Unlock()
		l.trouble(TroubleAuthType, s.Source, func() string {
			return fmt.Sprintf("authentication type %s, ours is %s", s.Auth, l.r.cfg.VRRP.Auth.Type)
		})
	}
}

// doubted is another holder of our address, until it is clear whether that is a
// conflict.
type doubted struct {
	Sighting
	due time.Time
}

// mostDoubts bounds what is kept of somebody who answers with ever new MACs.
const mostDoubts = 64

// doubt waits for as long as a claim does. A better router announces the address
// right after its advert, which comes by another socket; and a master that was
// held up finds in one moment that it was replaced and what its successor did
// meanwhile. Neither is a conflict: the master steps down first.
func (l *loop) doubt(s Sighting) {
	for _, d := range l.doubts {
		if d.Address == s.Address && d.MAC == s.MAC {
			return
		}
	}
	if len(l.doubts) < mostDoubts {
		l.doubts = append(l.doubts, doubted{s, time.Now().Add(l.r.cfg.VRRP.ClaimWait())})
	}
}

// doubtAt is when the first doubt is to be settled.
func (l *loop) doubtAt() time.Time {
	if len(l.doubts) == 0 {
		return time.Time{}
	}
	return l.doubts[0].due
}

// settleDoubts reports the conflicts among the doubts that are due.
func (l *loop) settleDoubts(now time.Time) {
	for len(l.doubts) > 0 && !now.Before(l.doubts[0].due) {
		s := l.doubts[0].Sighting
		l.doubts = l.doubts[1:]
		if l.machine.State() == vrrp.Master && !s.At.Before(l.entered) {
			l.sight(troubleKey{kind: TroubleConflict, address: s.Address, mac: s.MAC}, func() string {
				return fmt.Sprintf("%s %s on %s, and we hold it", s.MAC, verb(s), s.Device)
			})
		}
	}
}

func verb(s Sighting) string { return s.How + " for " + s.Address.String() }

// heldHere tells where a virtual address is on this host against the rules.
func (l *loop) heldHere(ip netip.Addr) (device string, here bool) {
	device, here = l.present[ip]
	return device, here
}

// masterLives reports whether adverts of a master are heard.
func (l *loop) masterLives() bool {
	cfg := &l.r.cfg.VRRP
	peer, _ := l.machine.Master()
	return peer.IsValid() && time.Since(l.heard) < cfg.Version.MasterDown(max(cfg.Interval, l.heardEvery), cfg.DownMultiplier, l.machine.Priority())
}
