package vrrp

// Drop says why a received packet was not taken as an advertisement of this
// virtual router. Each value is a sentinel error: callers compare with
// errors.Is, count by value, and print String. The order of the values is the
// order of the checks.
type Drop uint8

// The reasons to drop a packet.
const (
	// DropShort: the packet ends inside a header, or the IPv4 header is damaged.
	DropShort Drop = iota + 1
	// DropProtocol: the IP payload is not VRRP, or an authentication header is
	// missing where the configuration asks for one, or present where it does not.
	DropProtocol
	// DropVRID: another virtual router. Normal on a LAN with several; a
	// misconfiguration when that router advertises our addresses (see Codec.Decode).
	DropVRID
	// DropTTL: a multicast advert whose TTL or hop limit is not 255, so it may
	// have crossed a router (RFC 9568 section 5.1.1.3); a unicast one out of
	// Config.PeerTTL.
	DropTTL
	// DropVersion: not the configured VRRP version.
	DropVersion
	// DropUnsigned: no authentication trailer, and the mode is HMACEnforce.
	DropUnsigned
	// DropSigned: an authentication trailer, and Config.HMAC is not set.
	DropSigned
	// DropTrailer: an authentication trailer of an unknown scheme.
	DropTrailer
	// DropStale: the clock in the trailer is not within HMAC.Window of ours.
	DropStale
	// DropKey: signed with a key whose id we do not have.
	DropKey
	// DropDigest: the digest in the trailer is wrong for its key.
	DropDigest
	// DropType: not an ADVERTISEMENT (type 1), the only type there is.
	DropType
	// DropLength: the length is not what version, family and address count say.
	DropLength
	// DropChecksum: the checksum is wrong in every form that is known.
	DropChecksum
	// DropAuthType: the peer uses another authentication type.
	DropAuthType
	// DropAuth: wrong password, wrong integrity value or wrong SPI.
	DropAuth
	// DropReplay: the sequence number of an authentication header or trailer is
	// not after the last one.
	DropReplay
	// DropInterval: version 2 with an advertisement interval other than ours
	// (RFC 3768 section 7.1), or version 3 with interval zero.
	DropInterval
	// DropMode: multicast where unicast is configured, or the other way round.
	DropMode
	// DropPeer: a unicast advert from an address that is not a configured peer.
	DropPeer

	drops = iota + 1
)

// Drops is the number of Drop values plus one: the length of an array indexed by Drop.
const Drops = drops

var dropText = [Drops]string{
	0:            "accepted",
	DropShort:    "packet too short",
	DropProtocol: "not VRRP or authentication header unexpected",
	DropVRID:     "another virtual router id",
	DropTTL:      "TTL is not what it must be",
	DropVersion:  "another VRRP version",
	DropUnsigned: "no authentication trailer",
	DropSigned:   "authentication trailer unexpected",
	DropTrailer:  "authentication trailer of another scheme",
	DropStale:    "sender's clock is out of the window",
	DropKey:      "signed with a key that is not ours",
	DropDigest:   "wrong authentication digest",
	DropType:     "not an advertisement",
	DropLength:   "length does not fit the address count",
	DropChecksum: "wrong checksum",
	DropAuthType: "another authentication type",
	DropAuth:     "wrong authentication data",
	DropReplay:   "sequence number already seen",
	DropInterval: "another advertisement interval",
	DropMode:     "multicast and unicast mixed",
	DropPeer:     "source is not a configured peer",
}

// String is one phrase for a log line.
func (d Drop) String() string {
	if int(d) < len(dropText) {
		return dropText[d]
	}
	return "unknown drop reason"
}

// Error makes a Drop a sentinel error.
func (d Drop) Error() string { return "vrrp: " + d.String() }
