package vrrp

import (
	"crypto/hmac"
	"encoding/binary"
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
	signer signer // trailer
	sent   sequence
	marks  marks
	behind time.Duration // clock of the sender last decoded
	id     uint16
	buf    []byte
}

// NewCodec returns the codec for cfg, or the error of cfg.Validate.
func NewCodec(cfg Config) (*Codec, error) {
	c := new(Codec)
	if err := c.Reconfigure(cfg); err != nil {
		return nil, err
	}
	return c, nil
}

// Reconfigure replaces the whole configuration from now on (Machine's event of
// this name). What must outlive a packet, of us and of those who stay peers, is
// kept. The error is that of cfg.Validate; nothing has changed then.
func (c *Codec) Reconfigure(cfg Config) error {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return err
	}
	c.cfg, c.key, c.signer = cfg, cfg.Auth.Secret.key(), newSigner(cfg.HMAC)
	c.mine = nil
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
	if cfg.Unicast() {
		c.marks.keep(cfg.Peers)
	}
	return nil
}

// SetHMAC replaces Config.HMAC from now on. What is known of other routers'
// sequences is kept, and so is our own, so that keys can be exchanged while
// adverts flow. The error is that of Config.Validate; nothing has changed then.
func (c *Codec) SetHMAC(h *HMAC) error {
	cfg := c.cfg
	cfg.HMAC = h
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return err
	}
	c.cfg, c.signer = cfg, newSigner(cfg.HMAC)
	return nil
}

// HMAC is Config.HMAC as it is in force, with its defaults; nil for none. It is
// not to be changed.
func (c *Codec) HMAC() *HMAC { return c.cfg.HMAC }

// Peers are the unicast peers of this moment. They are not to be changed.
func (c *Codec) Peers() []netip.Addr { return c.cfg.Peers }

// SetPeers replaces Config.Peers of a router with DynamicPeers from now on. What
// is known of the sequences of those who stay is kept. Without DynamicPeers, with
// no peers or wrong ones the error says so, and nothing has changed.
func (c *Codec) SetPeers(peers []netip.Addr) error {
	if !c.cfg.DynamicPeers {
		return &FieldError{Field: "Peers", Problem: "are fixed without DynamicPeers"}
	}
	if len(peers) == 0 {
		return &FieldError{Field: "Peers", Problem: "at least one is required"}
	}
	cfg := c.cfg
	cfg.Peers = slices.Clone(peers)
	if err := cfg.Validate(); err != nil {
		return err
	}
	c.cfg = cfg
	c.marks.keep(peers)
	return nil
}

// Signs reports whether adverts get a trailer. An advert that was encoded before
// another one is then refused after it.
func (c *Codec) Signs() bool { return c.cfg.HMAC.signs() }

// Encode returns one advert of the given priority from src to dst: for IPv4 a
// whole datagram with its header, for IPv6 the VRRP message. The slice is
// valid until the next call. now, by the wall clock, goes into the trailer.
func (c *Codec) Encode(now time.Time, src, dst netip.Addr, priority uint8) []byte {
	c.advert.Priority = priority
	if !src.Is4() {
		c.buf = c.appendAdvert(c.buf[:0], now, src, dst)
		return c.buf
	}
	c.id++
	if c.id == 0 { // keepalived never sends 0: the kernel would fill it in
		c.id = 1
	}
	length, ttl := headerLen+4*len(c.mine), uint8(TTL)
	if c.cfg.Unicast() {
		ttl = c.cfg.UnicastTTL
	}
	if c.cfg.Version == V2 {
		length += secretLen
	}
	if c.cfg.Auth.Type != AuthAH {
		if c.cfg.HMAC.signs() {
			length += trailerLen
		}
		c.buf = appendIPv4(c.buf[:0], src, dst, ProtocolVRRP, ttl, c.id, length)
		c.buf = c.appendAdvert(c.buf, now, src, dst)
		return c.buf
	}
	c.seq++
	c.buf = appendIPv4(c.buf[:0], src, dst, ProtocolAH, ttl, c.id, ahLen+length)
	c.buf = appendAH(c.buf, src, c.seq)
	c.buf = Append(c.buf, &c.advert, src, dst)
	sum := icv(c.key, c.buf[:ipv4HeaderLen], c.buf[ipv4HeaderLen:], c.cfg.Unicast())
	copy(c.buf[ipv4HeaderLen+ahICV:], sum[:])
	return c.buf
}

// appendAdvert appends the message, and its trailer where adverts are signed.
func (c *Codec) appendAdvert(b []byte, now time.Time, src, dst netip.Addr) []byte {
	if !c.cfg.HMAC.signs() {
		return Append(b, &c.advert, src, dst)
	}
	start := len(b)
	c.sent = c.sent.next(now, c.cfg.HMAC)
	b = appendUnsummed(b, &c.advert, src)
	b = c.signer.sign(b, start, src, c.sent)
	c.advert.sum(b[start:], trailerLen, src, dst)
	return b
}

// Decode checks p as keepalived and RFC 9568 section 7.1 do and, when it is an
// advert of this virtual router, leaves it in a. Otherwise the error is a Drop.
// now, by the wall clock, is compared with the sender's clock in the trailer.
//
// With Config.HMAC the trailer is checked before anything that the sender says
// is looked at, but for what finds the trailer: virtual router, version and
// address count.
//
// A packet of another virtual router is DropVRID; a is then decoded as far as
// possible, so that the caller can see whether its addresses are ours
// (SharesAddress), which means that somebody mistyped the id.
//
// The address list of an accepted advert may differ from ours; see
// SameAddresses. keepalived since 2.3.3 only logs that, and so a rolling
// change of the list does not split the pair.
func (c *Codec) Decode(now time.Time, a *Advert, p Packet) error {
	message, err := c.message(p)
	if err != nil {
		return err
	}
	if len(message) < headerLen {
		return DropShort
	}
	if message[1] != c.cfg.VRID {
		a.Addresses = a.Addresses[:0]
		_ = parse(a, message, trailerIn(message, p.Source.Is4()), p.Source, p.Destination) // only to look at the addresses
		return DropVRID
	}
	multicast := p.Destination.IsMulticast()
	if lo, hi := c.ttl(p); p.TTL < lo || p.TTL > hi {
		return DropTTL
	}
	trailer := trailerIn(message, p.Source.Is4())
	if err := c.verify(now, message, trailer, p); err != nil {
		return err
	}
	if err := parse(a, message, trailer, p.Source, p.Destination); err != nil {
		return err
	}
	if a.Version != c.cfg.Version {
		return DropVersion
	}
	if trailer > 0 {
		a.KeyID, a.Behind = message[len(message)-trailer+1], c.behind
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

// ttl is what the TTL of p must be between.
func (c *Codec) ttl(p Packet) (lo, hi uint8) {
	if p.Destination.IsMulticast() {
		return TTL, TTL
	}
	if r, ok := c.cfg.PeerTTL[p.Source]; ok {
		return r.Min, r.Max
	}
	if r := c.cfg.AnyPeerTTL; r.Max > 0 {
		return r.Min, r.Max
	}
	return 0, TTL
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

// verify checks the trailer, where there is or must be one. A unicast sender must
// be a peer: only peers have a place for their sequence.
func (c *Codec) verify(now time.Time, message []byte, trailer int, p Packet) error {
	h := c.cfg.HMAC
	switch {
	case h == nil && trailer > 0:
		return DropSigned
	case h == nil:
		return nil
	case Version(message[0]>>4) != c.cfg.Version:
		return DropVersion
	case trailer == 0 && len(message) != messageLen(message, p.Source.Is4()):
		return DropLength
	case trailer == 0 && h.Mode == HMACEnforce:
		return DropUnsigned
	case trailer == 0:
		return nil
	case p.Destination.IsMulticast() == c.cfg.Unicast():
		return DropMode
	case c.cfg.Unicast() && !slices.Contains(c.cfg.Peers, p.Source):
		return DropPeer
	}
	seq, behind, err := c.signer.verify(now, message, p.Source)
	c.behind = behind
	if err != nil {
		return err
	}
	if !c.marks.accept(now, p.Source, seq, h, c.cfg.Unicast()) {
		return DropReplay
	}
	return nil
}

// ClockSkewed reports whether the clock of a's sender is so far from ours that
// its adverts will soon be dropped: by more than half of HMAC.Window, as
// keepalived warns.
func (c *Codec) ClockSkewed(a *Advert) bool {
	h := c.cfg.HMAC
	return h != nil && a.KeyID != 0 && h.AntiReplay == ReplayTime && !within(a.Behind, h.Window/2)
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

// Addresses are the advertised addresses of the configuration.
func (c *Codec) Addresses() []netip.Addr { return slices.Clone(c.mine) }

// SharesAddress reports whether a advertises one of our addresses.
func (c *Codec) SharesAddress(a *Advert) bool {
	return slices.ContainsFunc(a.Addresses, func(ip netip.Addr) bool { return slices.Contains(c.mine, ip) })
}
