package vrrp

import (
	"fmt"
	"slices"
	"time"
)

// HMAC is the authentication of adverts by a trailer with an HMAC-SHA256 and a
// sequence number (draft-cassen-vrrp-auth-hmac; keepalived 2.4.2 and later). It
// is for both versions, both families, multicast and unicast, and excludes Auth.
//
// A digest shows that an advert comes from somebody with the key and is as it
// was sent; the sequence number, which is made of the sender's clock, shows that
// it is not an old one. It covers the source address but not the destination.
type HMAC struct {
	// Mode is what is sent and what is asked for. Default HMACEnforce.
	Mode HMACMode
	// Keys are those that adverts may be signed with, by id; at least one.
	Keys []Key
	// ActiveKey is the id of the key that our adverts are signed with. Default:
	// the only key.
	ActiveKey uint8
	// AntiReplay says how old adverts are told. Default ReplayTime.
	AntiReplay AntiReplay
	// Window is how far a sender's clock may be from ours with ReplayTime: whole
	// seconds, 1 s to 300 s. Default: three intervals, at least 5 s.
	Window time.Duration
}

// Key is one secret that all routers of the virtual router share.
type Key struct {
	ID     uint8  // 1 to 255, sent with each advert
	Secret Secret // 32 to 64 bytes of any value
}

// HMACMode is a step on the way to authenticated adverts. A router that does
// not know the trailer drops adverts that have one, so all routers go to
// HMACReceiveOnly first, then to HMACPermissive, then to HMACEnforce.
type HMACMode uint8

// The modes.
const (
	HMACEnforce     HMACMode = iota // sign; drop what has no trailer
	HMACPermissive                  // sign; take what has no trailer too
	HMACReceiveOnly                 // do not sign; a trailer that is there must be right
)

// String names the mode as the configuration does.
func (m HMACMode) String() string {
	switch m {
	case HMACEnforce:
		return "enforce"
	case HMACPermissive:
		return "permissive"
	case HMACReceiveOnly:
		return "receive-only"
	}
	return "unknown"
}

// AntiReplay is how adverts that somebody has recorded are refused.
type AntiReplay uint8

// The ways.
const (
	// ReplayTime: the sender's clock must be within HMAC.Window of ours, and its
	// sequence must grow. It needs clocks that agree.
	ReplayTime AntiReplay = iota
	// ReplayMonotonic: the sequence must grow. A recorded advert of a sender that
	// was not heard since our start is taken.
	ReplayMonotonic
)

// String names the way as the configuration does.
func (r AntiReplay) String() string {
	switch r {
	case ReplayTime:
		return "time"
	case ReplayMonotonic:
		return "monotonic"
	}
	return "unknown"
}

// Limits of the trailer, keepalived's too.
const (
	MinKey     = 32 // bytes of a Key
	MaxKey     = 64
	minWindow  = time.Second
	maxWindow  = 300 * time.Second
	leastAsked = 5 * time.Second // of the default window
)

// Format prints mode and key ids, never a secret, for every verb: without it
// package fmt prints the fields behind a pointer without their methods when the
// verb is not for them.
func (h HMAC) Format(f fmt.State, _ rune) {
	ids := make([]int, 0, len(h.Keys))
	for _, k := range h.Keys {
		ids = append(ids, int(k.ID))
	}
	_, _ = fmt.Fprintf(f, "%s, keys %v, signing with %d", h.Mode, ids, h.ActiveKey)
}

// signs reports whether adverts get a trailer.
func (h *HMAC) signs() bool { return h != nil && h.Mode != HMACReceiveOnly }

// withDefaults fills in what is not set; h is not changed.
func (h *HMAC) withDefaults(interval time.Duration) *HMAC {
	if h == nil {
		return nil
	}
	d := *h
	if d.ActiveKey == 0 && len(d.Keys) == 1 {
		d.ActiveKey = d.Keys[0].ID
	}
	if d.Window == 0 {
		d.Window = min(max(3*interval.Truncate(time.Second), leastAsked), maxWindow)
	}
	return &d
}

func (h *HMAC) validate(bad func(string, string, ...any)) {
	if h == nil {
		return
	}
	if h.Mode > HMACReceiveOnly {
		bad("HMAC.Mode", "is %d; must be enforce, permissive or receive-only", h.Mode)
	}
	if h.AntiReplay > ReplayMonotonic {
		bad("HMAC.AntiReplay", "is %d; must be time or monotonic", h.AntiReplay)
	}
	if h.Window < minWindow || h.Window > maxWindow || h.Window%time.Second != 0 {
		bad("HMAC.Window", "is %s; must be whole seconds from %s to %s", h.Window, minWindow, maxWindow)
	}
	if len(h.Keys) == 0 {
		bad("HMAC.Keys", "at least one is required")
		return
	}
	for i, k := range h.Keys {
		field := fmt.Sprintf("HMAC.Keys[%d]", i)
		if k.ID == 0 {
			bad(field, "id must be 1 to 255")
		}
		if n := len(k.Secret); n < MinKey || n > MaxKey {
			bad(field, "has %d bytes; must have %d to %d", n, MinKey, MaxKey)
		}
		if slices.IndexFunc(h.Keys, func(o Key) bool { return o.ID == k.ID }) != i {
			bad(field, "id %d is used twice", k.ID)
		}
	}
	if !slices.ContainsFunc(h.Keys, func(k Key) bool { return k.ID == h.ActiveKey }) {
		bad("HMAC.ActiveKey", "is %d, which is no id of a key", h.ActiveKey)
	}
}
