package instance

import (
	"net/netip"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Trouble is one episode of trouble: a kind, with one peer, about one thing. It
// begins at the first sight and ends when it was not seen for a while, or when
// something says that it is over. The next sight begins a new episode.
type Trouble struct {
	Kind    TroubleKind
	Peer    netip.Addr // invalid when no other router is involved
	Address netip.Addr // the virtual address it is about; invalid when it is about none
	MAC     string     // TroubleConflict: who has the address
	Detail  string     // what was seen, with both values: one sentence, of the last time it was logged
	Cause   string     // the likely cause
	Count   uint64     // sights in this episode
	First   time.Time
	Last    time.Time
	Cleared time.Time // zero: it lasts
	Healed  string    // how it ended, empty while it lasts
}

// Active reports whether the episode lasts.
func (t Trouble) Active() bool { return t.Cleared.IsZero() }

// Lasted is the time from the first sight to the last.
func (t Trouble) Lasted() time.Duration { return t.Last.Sub(t.First) }

// maxTroubles bounds what forged packets can make us remember.
const maxTroubles = 64

// Times after which trouble that is not seen again is over.
const (
	quietTime   = 10 * time.Second // at least; four adverts where those are further apart
	quietMaster = time.Second      // the same for a second master
	quietHost   = 2 * hostPause
)

// troubleKey tells episodes apart.
type troubleKey struct {
	kind    TroubleKind
	peer    netip.Addr
	address netip.Addr
	mac     string
}

func (t *Trouble) key() troubleKey { return troubleKey{t.Kind, t.Peer, t.Address, t.MAC} }

// quiet is how long a kind must not be seen to be over.
func (l *loop) quiet(k TroubleKind) time.Duration {
	adverts := 4 * l.r.cfg.VRRP.Interval
	switch k {
	case TroubleSecondMaster:
		return max(adverts, quietMaster)
	case TroubleHost:
		return max(adverts, quietHost)
	case TroubleConflict, TroubleBackupHolds, TroubleSplitBrain:
		if w := l.r.cfg.Lookout; w != nil {
			return w.Quiet()
		}
		return max(adverts, quietTime)
	default:
		return max(adverts, quietTime)
	}
}

// trouble records one sight that concerns a peer, or nobody else.
func (l *loop) trouble(kind TroubleKind, peer netip.Addr, detail func() string) {
	l.sight(troubleKey{kind: kind, peer: peer}, detail)
}

// sight records one sight. It is logged, and offered to OnTrouble, at the first
// sight of an episode and then once per change of master; detail is called only
// then.
func (l *loop) sight(key troubleKey, detail func() string) {
	now := time.Now()
	l.r.mu.Lock()
	l.r.status.Counters.Troubles[key.kind]++
	t := l.episode(key, now)
	t.Count++
	t.Last = now
	if over := now.Add(l.quiet(key.kind)); l.healAt.IsZero() || over.Before(l.healAt) {
		l.healAt = over
	}
	if l.logged[key] {
		l.r.mu.Unlock()
		return
	}
	t.Detail = detail()
	report := *t
	l.r.mu.Unlock()

	l.logged[key] = true
	l.tell("trouble", report, "detail", report.Detail, "cause", report.Cause)
}

// episode finds the present episode or begins one; with the lock held.
func (l *loop) episode(key troubleKey, now time.Time) *Trouble {
	list := &l.r.status.Troubles
	at := slices.IndexFunc(*list, func(t Trouble) bool { return t.key() == key })
	fresh := Trouble{Kind: key.kind, Peer: key.peer, Address: key.address, MAC: key.mac, Cause: key.kind.Cause(), First: now}
	switch {
	case at >= 0 && (*list)[at].Active():
		return &(*list)[at]
	case at >= 0:
		*list = slices.Delete(slices.Clone(*list), at, at+1)
	case len(*list) == maxTroubles:
		gone := max(slices.IndexFunc(*list, func(t Trouble) bool { return !t.Active() }), 0)
		delete(l.logged, (*list)[gone].key())
		*list = slices.Delete(slices.Clone(*list), gone, gone+1)
	}
	*list = append(*list, fresh)
	return &(*list)[len(*list)-1]
}

// tell logs a trouble and offers it to OnTrouble.
func (l *loop) tell(what string, t Trouble, attrs ...any) {
	attrs = append([]any{"trouble", t.Kind.String(), "count", t.Count}, attrs...)
	if t.Peer.IsValid() {
		attrs = append(attrs, "peer", t.Peer)
	}
	if t.Address.IsValid() {
		attrs = append(attrs, "address", t.Address)
	}
	if t.Active() {
		l.r.log.Warn(what, attrs...)
	} else {
		l.r.log.Info(what, attrs...)
	}
	if f := l.r.cfg.OnTrouble; f != nil {
		l.r.outbox.put(func() { f(t) })
	}
}

// heal ends the episodes that over picks, for the reason it gives. A master
// whose rival is gone announces its addresses once more: what hosts and switches
// have learned of the rival since its last sight is wrong now. (An advert of
// lower priority, and priority 0, make the machine announce by itself; a rival
// that was answering for an address, or that fell silent, does not.)
func (l *loop) heal(now time.Time, over func(*Trouble) (string, bool)) {
	var ended []Trouble
	var next time.Time
	l.r.mu.Lock()
	for i := range l.r.status.Troubles {
		t := &l.r.status.Troubles[i]
		if !t.Active() {
			continue
		}
		how, yes := over(t)
		if !yes {
			if at := t.Last.Add(l.quiet(t.Kind)); next.IsZero() || at.Before(next) {
				next = at
			}
			continue
		}
		t.Cleared, t.Healed = now, how
		delete(l.logged, t.key())
		ended = append(ended, *t)
	}
	l.r.mu.Unlock()
	l.healAt = next
	rival := false
	for _, t := range ended {
		l.tell("healed", t, "how", t.Healed, "lasted", t.Lasted())
		rival = rival || t.Kind == TroubleSecondMaster || t.Kind == TroubleConflict
	}
	if rival && l.machine.State() == vrrp.Master && l.installed {
		l.perform(vrrp.Announce{Rounds: max(l.machine.Config().Announce.LowerRepeat, 1)})
	}
}

// healQuiet ends what was not seen for its time.
func (l *loop) healQuiet(now time.Time) {
	l.heal(now, func(t *Trouble) (string, bool) {
		quiet := l.quiet(t.Kind)
		return "not seen for " + quiet.String(), now.Sub(t.Last) >= quiet
	})
}

// healKinds ends all episodes of some kinds.
func (l *loop) healKinds(how string, kinds ...TroubleKind) {
	l.heal(time.Now(), func(t *Trouble) (string, bool) { return how, slices.Contains(kinds, t.Kind) })
}

// yielded ends the episode of a second master that gave up.
func (l *loop) yielded(peer netip.Addr) {
	l.heal(time.Now(), func(t *Trouble) (string, bool) {
		return "it gave up mastership (priority 0)", t.Kind == TroubleSecondMaster && t.Peer == peer
	})
}
