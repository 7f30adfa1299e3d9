package instance

import (
	"fmt"
	"net/netip"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// HMACStatus is how far the authentication by trailer is.
type HMACStatus struct {
	Mode      vrrp.HMACMode
	ActiveKey uint8
	Keys      []uint8 // ids
	Signed    uint64  // adverts accepted with a right trailer
	Unsigned  uint64  // adverts accepted without one: in HMACEnforce they would be dropped
}

func newHMACStatus(h *vrrp.HMAC) *HMACStatus {
	if h == nil {
		return nil
	}
	s := &HMACStatus{Mode: h.Mode, ActiveKey: h.ActiveKey}
	for _, k := range h.Keys {
		s.Keys = append(s.Keys, k.ID)
	}
	return s
}

// setHMAC changes keys or mode while adverts flow. The counters begin anew: they
// are to tell whether the next step of a rollout can be made.
func (l *loop) setHMAC(h *vrrp.HMAC) {
	if err := l.codec.SetHMAC(h); err != nil { // SetHMAC of Runner has asked
		l.failed("set HMAC", err)
		return
	}
	l.r.mu.Lock()
	l.r.status.HMAC = newHMACStatus(l.codec.HMAC())
	l.r.mu.Unlock()
	clear(l.logged)
	if l.installed {
		l.armGuard()
	}
	l.r.log.Info("authentication", "hmac", describe(l.codec.HMAC()))
}

func describe(h *vrrp.HMAC) string {
	if h == nil {
		return "none"
	}
	return fmt.Sprintf("%s, signing key %d of %d", h.Mode, h.ActiveKey, len(h.Keys))
}

// authenticated counts an accepted advert and looks at its sender's clock.
func (l *loop) authenticated(from netip.Addr) {
	l.r.mu.Lock()
	if s := l.r.status.HMAC; s != nil && l.advert.KeyID != 0 {
		s.Signed++
	} else if s != nil {
		s.Unsigned++
	}
	l.r.mu.Unlock()
	if l.codec.ClockSkewed(&l.advert) {
		l.trouble(TroubleClock, from, func() string {
			return fmt.Sprintf("its clock and ours differ by %s; above %s its adverts are dropped", l.advert.Behind.Abs(), l.codec.HMAC().Window)
		})
	}
}
