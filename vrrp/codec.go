package vrrp

import (
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Codec writes and checks the packets of one virtual router. It holds what
// must outlive a packet: the IP identification and the sequence number of the
// authentication header. It is not safe for concurrent use.
type Codec struct {
	cfg    Config
	advert Advert // template of what is sent
	mine   []netip.Addr
	key    [secretLen]byte
	seq    uint32 // authentication header: last number sent or accepted
	id     uint16
	buf    []byte
}

// NewCodec returns the codec for cfg, or the error of cfg.Validate.
func NewCodec(cfg Config) (*Codec, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Codec{cfg: cfg, key: cfg.Auth.Secret.key()}
	for _, a := range cfg.Addresses {
		c.mine = append(c.mine, a.Prefix.Addr())
	}
	c.advert = Advert{
		Version:   cfg.Version,
		VRID:      cfg.VRID,
		Interval:  cfg.Interval,
		Auth:      cfg.Auth.Type,
		Addresses: c.mine,
		Checksum:  cfg.Checksum,
	}
	if cfg.Auth.Type == AuthPass {
		c.advert.Secret = c.key
	}
	return c, nil
}

// Encode returns one advert of the given priority from src to dst: for IPv4 a
// whole datagram with its header, for IPv6 the VRRP message. The slice is
// valid until the next call.
func (c *Codec) Encode(src, dst netip.Addr, priority uint8) []byte {
	c.advert.Priority = priority
	if !src.Is4() {
		c.buf = Append(c.buf[:0], &c.advert, src, dst)
		return c.buf
	}
	c.id++
	if c.id == 0 { // keepalived never sends 0: the kernel would fill it in
		c.id = 1
	}
	length := headerLen + 4*len(c.mine)
	if c.cfg.Version == V2 {
		length += secretLen
	}
	if c.cfg.Auth.Type != AuthAH {
		c.buf = appendIPv4(c.buf[:0], src, dst, ProtocolVRRP, c.id, length)
		c.buf = Append(c.buf, &c.advert, src, dst)
		return c.buf
	}
	c.seq++
	c.buf = appendIPv4(c.buf[:0], src, dst, ProtocolAH, c.id, ahLen+length)
	c.buf = appendAH(c.buf, src, c.seq)
	c.buf = Append(c.buf, &c.advert, src, dst)
	sum := icv(c.key, c.buf[:ipv4HeaderLen], c.buf[ipv4HeaderLen:], c.cfg.Unicast())
	copy(c.buf[ipv4HeaderLen+ahICV:], sum[:])
	return c.buf
}

// Decode checks p as keepalived and RFC 9568 section 7.1 do and, when it is an
// advert of this virtual router, leaves it in a. Otherwise the error is a Drop.
//
// A packet of another virtual router is DropVRID; a is then decoded as far as
// possible, so that the caller can see whether its addresses are ours
// (SharesAddress), which means that somebody mistyped the id.
//
// The address list of an accepted advert may differ from ours; see
// SameAddresses. keepalived since 2.3.3 only logs that, and so a rolling
// change of the list does not split the pair.
func (c *Codec) Decode(a *Advert, p Packet) error {
	message, err := c.message(p)
	if err != nil {
		return err
	}
	if len(message) < headerLen {
		return DropShort
	}
	if message[1] != c.cfg.VRID {
		a.Addresses = a.Addresses[:0]
		_ = Parse(a, message, p.Source, p.Destination) // only to look at the addresses
		return DropVRID
	}
	multicast := p.Destination.IsMulticast()
	if multicast && p.TTL != TTL {
		return DropTTL
	}
	if err := Parse(a, message, p.Source, p.Destination); err != nil {
		return err
	}
	if a.Version != c.cfg.Version {
		return DropVersion
	}
	if err := c.authenticate(a, p); err != nil {
		return err
	}
	if a.Interval == 0 || (a.Version == V2 && a.Interval != c.cfg.Interval) {
		return DropInterval
	}
	if multicast == c.cfg.Unicast() {
		return DropMode
	}
	if c.cfg.Unicast() && !slices.Contains(c.cfg.Peers, p.Source) {
		return DropPeer
	}
	return nil
}

// message finds the VRRP message behind an authentication header, if any.
func (c *Codec) message(p Packet) ([]byte, error) {
	switch {
	case p.Protocol == ProtocolVRRP:
		return p.Payload, nil
	case p.Protocol == ProtocolAH && c.cfg.Auth.Type == AuthAH && p.Header != nil:
		if len(p.Payload) < ahLen {
			return nil, DropShort
		}
		if p.Payload[0] != ProtocolVRRP || p.Payload[1] != ahWords {
			return nil, DropProtocol
		}
		return p.Payload[ahLen:], nil
	}
	return nil, DropProtocol
}

// authenticate applies the configured authentication to a parsed advert.
func (c *Codec) authenticate(a *Advert, p Packet) error {
	if a.Version != V2 {
		return nil
	}
	if a.Auth != c.cfg.Auth.Type || (a.Auth == AuthAH) != (p.Protocol == ProtocolAH) {
		return DropAuthType
	}
	switch a.Auth {
	case AuthNone:
	case AuthPass:
		if !hmac.Equal(a.Secret[:], c.key[:]) {
			return DropAuth
		}
	case AuthAH:
		want := icv(c.key, p.Header, p.Payload, c.cfg.Unicast())
		src := p.Source.As4()
		if !hmac.Equal(want[:], p.Payload[ahICV:ahLen]) || [4]byte(p.Payload[4:]) != src {
			return DropAuth
		}
		// One counter for both directions, as keepalived has it: whoever
		// becomes master goes on above the number last heard.
		seq := binary.BigEndian.Uint32(p.Payload[8:])
		if seq <= c.seq {
			return DropReplay
		}
		c.seq = seq
	}
	return nil
}

// SameAddresses reports whether a advertises exactly our addresses, in any order.
func (c *Codec) SameAddresses(a *Advert) bool {
	if len(a.Addresses) != len(c.mine) {
		return false
	}
	for _, ip := range c.mine {
		if !slices.Contains(a.Addresses, ip) {
			return false
		}
	}
	return true
}

// SharesAddress reports whether a advertises one of our addresses.
func (c *Codec) SharesAddress(a *Advert) bool {
	return slices.ContainsFunc(a.Addresses, func(ip netip.Addr) bool { return slices.Contains(c.mine, ip) })
}

// Explain says in one sentence what a dropped packet had and what we want,
// with the likely cause. It does not alter the codec.
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
		return fmt.Sprintf("TTL %d, must be 255: the advert crossed a router or was forged", p.TTL)
	case DropVersion:
		return fmt.Sprintf("VRRP version %s, ours is %d", version, c.cfg.Version)
	case DropAuthType:
		return fmt.Sprintf("authentication type %s, ours is %s", auth, c.cfg.Auth.Type)
	case DropAuth:
		return "authentication failed: the passwords differ"
	case DropInterval:
		return fmt.Sprintf("advert interval %s, ours is %s", interval, c.cfg.Interval)
	case DropMode:
		if c.cfg.Unicast() {
			return "the peer multicasts, we are configured for unicast"
		}
		return "the peer unicasts, we are configured for multicast"
	case DropPeer:
		return "not in our list of unicast peers"
	case DropShort, DropProtocol, DropType, DropLength, DropChecksum, DropReplay:
	}
	return d.String()
}
