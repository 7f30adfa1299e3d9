package instance

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// ErrRestart: the configuration is that of another virtual router, or needs
// another socket. The runner has to be stopped and another one made.
var ErrRestart = errors.New("it has to start again for that")

// Reconfigure gives a running router another configuration without an election,
// and returns when it is in force: cfg.VRRP as far as
// vrrp.Config.Reconfigurable allows, Dial, Host, Lookout, Guard, IgnoreLink,
// OnLoss and the delays. The rest of cfg does not count; what SetPriority, SetHMAC
// and SetPeers have set stays, so that a new base priority is followed by
// SetPriority.
//
// The Host is the successor of the one before, whose methods are not called any
// more: Install and Remove take off also what only that one has put there. It is
// called at once, also as backup.
//
// Errors: ErrRestart, and nothing has changed; ErrStopped.
func (r *Runner) Reconfigure(cfg Config) error {
	r.mu.Lock()
	now := r.cfg.VRRP
	r.mu.Unlock()
	cfg.VRRP = cfg.VRRP.WithDefaults()
	cfg.VRRP.HMAC = now.HMAC
	if !now.Reconfigurable(cfg.VRRP) {
		return fmt.Errorf("reconfigure virtual router %s: %w", now.Name, ErrRestart)
	}
	done := make(chan struct{})
	r.inbox.put(func(l *loop) { l.reconfigure(cfg); close(done) })
	select {
	case <-done:
		return nil
	case <-r.ended:
		return ErrStopped
	}
}

func (l *loop) reconfigure(next Config) {
	r := l.r
	cfg := &next.VRRP
	cfg.HMAC = l.codec.HMAC()
	if cfg.DynamicPeers {
		cfg.Peers = l.codec.Peers()
	}
	if err := l.codec.Reconfigure(*cfg); err != nil { // Reconfigure of Runner has asked
		l.failed("reconfigure", err)
		return
	}
	r.unwatch()
	next.Faults, next.Logger, next.OnRole, next.OnTrouble = r.cfg.Faults, r.cfg.Logger, r.cfg.OnRole, r.cfg.OnTrouble
	r.mu.Lock()
	r.cfg = next
	r.status.configured(*cfg)
	r.mu.Unlock()
	if l.reader != nil {
		if err := l.reader.conn.Tune(*cfg); err != nil {
			l.failed("reconfigure", err)
		}
	}
	l.timing()
	clear(l.logged)
	l.anew = l.installed // with the next advert, which the machine sends now
	l.step(vrrp.Reconfigure{Config: *cfg})
	switch {
	case !l.installed:
		if err := next.Host.Remove(); err != nil {
			l.hostError("remove addresses", err)
		}
	case l.anew && l.machine.HandingOver(): // none is sent, and the next master is heard in a moment
		l.installAnew()
	}
	l.forgetAddresses()
	if next.Lookout != nil {
		next.Lookout.Follow(l.installed)
	}
	r.unwatch = r.beside(next.Host, next.Lookout)
	r.log.Info("reconfigured", "state", l.machine.State())
}

// timing is what the loop keeps of the configuration.
func (l *loop) timing() {
	cfg := &l.r.cfg.VRRP
	l.lease, l.slack, l.replacedAfter = cfg.LeaseTime(), cfg.LeaseSlack(), cfg.ReplacedAfter()
}

// installAnew is the first renewal of a Host that succeeds another.
func (l *loop) installAnew() {
	l.anew = false
	l.install(l.r.cfg.Host.Install)
	l.armGuard()
}

// forgetAddresses ends what was seen of addresses that are not ours any more.
func (l *loop) forgetAddresses() {
	cfg := &l.r.cfg.VRRP
	ours := func(ip netip.Addr) bool {
		is := func(a vrrp.Address) bool { return a.Prefix.Addr() == ip }
		return slices.ContainsFunc(cfg.Addresses, is) || slices.ContainsFunc(cfg.Excluded, is)
	}
	maps.DeleteFunc(l.present, func(ip netip.Addr, _ string) bool { return !ours(ip) })
	l.doubts = slices.DeleteFunc(l.doubts, func(d doubted) bool { return !ours(d.Address) })
	l.heal(time.Now(), func(t *Trouble) (string, bool) {
		return "it is no virtual address any more", t.Address.IsValid() && !ours(t.Address)
	})
}
