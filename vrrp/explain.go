package vrrp

import (
	"fmt"
	"time"
)

// Explain says in one sentence what a dropped packet had and what we want,
// with the likely cause. d is what Decode has just said of p.
func (c *Codec) Explain(d Drop, p Packet) string {
	message, err := c.message(p)
	var version, interval, auth string
	if err == nil && len(message) >= headerLen {
		version = fmt.Sprint(message[0] >> 4)
		auth = AuthType(message[4]).String()
		interval = (time.Duration(message[5]) * time.Second).String()
	}
	switch d {
	case DropVRID:
		if err != nil || len(message) < headerLen {
			return d.String()
		}
		return fmt.Sprintf("virtual router id %d, ours is %d", message[1], c.cfg.VRID)
	case DropTTL:
		lo, hi := c.ttl(p)
		if lo < hi {
			return fmt.Sprintf("TTL %d, must be %d to %d", p.TTL, lo, hi)
		}
		return fmt.Sprintf("TTL %d, must be %d", p.TTL, lo)
	case DropVersion:
		return fmt.Sprintf("VRRP version %s, ours is %d", version, c.cfg.Version)
	case DropAuthType:
		return fmt.Sprintf("authentication type %s, ours is %s", auth, c.cfg.Auth.Type)
	case DropAuth:
		if c.cfg.Auth.Type == AuthAH {
			return "authentication failed: the integrity value is not made with our secret"
		}
		return "authentication failed: the passwords differ"
	case DropInterval:
		return fmt.Sprintf("advert interval %s, ours is %s", interval, c.cfg.Interval)
	case DropMode:
		if c.cfg.Unicast() {
			return "the peer multicasts, we are configured for unicast"
		}
		return "the peer unicasts, we are configured for multicast"
	case DropPeer:
		return fmt.Sprintf("%s is not in our list of unicast peers, %v", p.Source, c.cfg.Peers)
	case DropChecksum:
		if err == nil && len(message) >= headerLen {
			return fmt.Sprintf("checksum 0x%02x%02x fits the message in no form", message[6], message[7])
		}
	case DropUnsigned, DropSigned, DropTrailer, DropStale, DropKey, DropDigest:
		return c.explainTrailer(d, message, p)
	case DropReplay:
		if c.cfg.HMAC != nil {
			return "its sequence number is not after its last one"
		}
	case DropShort, DropProtocol, DropType, DropLength:
	}
	return d.String()
}

// explainTrailer is Explain for the trailer.
func (c *Codec) explainTrailer(d Drop, message []byte, p Packet) string {
	var scheme, key uint8
	if n := trailerIn(message, p.Source.Is4()); n > 0 {
		t := message[len(message)-n:]
		scheme, key = t[0], t[1]
	}
	switch d {
	case DropUnsigned:
		return "it has no authentication trailer, and our mode is enforce"
	case DropSigned:
		return "it has an authentication trailer, and we have no keys"
	case DropTrailer:
		return fmt.Sprintf("authentication trailer of scheme %d, we know %d (HMAC-SHA256, keepalived 2.4.2 or later)", scheme, trailerSHA256)
	case DropStale:
		relation, by := "behind", c.behind
		if by < 0 {
			relation, by = "ahead of", -by
		}
		return fmt.Sprintf("its clock is %s %s ours, the window is %s", by, relation, c.cfg.HMAC.Window)
	case DropKey:
		ids := make([]uint8, 0, len(c.cfg.HMAC.Keys))
		for _, k := range c.cfg.HMAC.Keys {
			ids = append(ids, k.ID)
		}
		return fmt.Sprintf("signed with key %d, we have %d", key, ids)
	case DropDigest:
		return fmt.Sprintf("wrong digest for key %d", key)
	default:
		return d.String()
	}
}
