package instance

import "github.com/edgekeeper/edgekeeper/vrrp"

// TroubleKind names something that is wrong between us and the other routers,
// or between us and the host.
type TroubleKind uint8

// The kinds of trouble.
const (
	// TroubleAuth: the secret or the authentication header is wrong.
	TroubleAuth TroubleKind = iota + 1
	// TroubleAuthType: another authentication type.
	TroubleAuthType
	// TroubleUnsigned: no authentication trailer where one is asked for, or one
	// where we have no keys.
	TroubleUnsigned
	// TroubleKey: a trailer that we cannot check: its key or its scheme is unknown.
	TroubleKey
	// TroubleDigest: a trailer with a wrong digest.
	TroubleDigest
	// TroubleClock: a sender's clock is so far from ours that its adverts will
	// soon be dropped.
	TroubleClock
	// TroubleStale: and now they are; or recorded ones are sent again.
	TroubleStale
	// TroubleInterval: another advert interval (version 2: its adverts are
	// dropped, so there will be two masters).
	TroubleInterval
	// TroubleVersion: another VRRP version.
	TroubleVersion
	// TroubleVRID: a router with another id advertises our addresses.
	TroubleVRID
	// TroubleAddresses: an accepted advert lists other addresses than ours.
	TroubleAddresses
	// TroubleChecksum: adverts with a wrong checksum.
	TroubleChecksum
	// TroubleChecksumForm: the peer sends the other form of checksum. Accepted,
	// but the peer may refuse ours.
	TroubleChecksumForm
	// TroubleTTL: multicast adverts with a TTL other than 255.
	TroubleTTL
	// TroubleMode: multicast on one side, unicast on the other.
	TroubleMode
	// TroublePeer: a unicast advert from an address not in our list.
	TroublePeer
	// TroubleReplay: old sequence numbers of an authentication header or trailer.
	TroubleReplay
	// TroubleMalformed: packets that are no adverts.
	TroubleMalformed
	// TroubleSecondMaster: while master, we heard another master that should
	// yield to us. Normal for one advert during a takeover.
	TroubleSecondMaster
	// TroubleOwners: another router has priority 255 like us. Only one can own the
	// addresses.
	TroubleOwners
	// TroubleAddressLost: somebody else removed or changed a virtual address.
	TroubleAddressLost
	// TroubleLate: our loop was so late that a backup may have taken over.
	TroubleLate
	// TroubleHost: addresses could not be installed, renewed or announced.
	TroubleHost
	// TroubleConflict: while master, one of our addresses was answered for by a
	// MAC that is on no interface of this host.
	TroubleConflict
	// TroubleBackupHolds: a virtual address is on this host although we are not
	// master.
	TroubleBackupHolds
	// TroubleSplitBrain: TroubleBackupHolds while the master lives: its adverts
	// are heard, and somebody else answers for the address.
	TroubleSplitBrain
	// TroubleRouteLost: somebody else removed a virtual route or rule.
	TroubleRouteLost

	troubleKinds = iota + 1
)

// TroubleKinds is the number of kinds plus one: the length of an array indexed
// by TroubleKind.
const TroubleKinds = troubleKinds

// String is a short word for a metric or an event.
func (k TroubleKind) String() string {
	switch k {
	case TroubleAuth:
		return "auth"
	case TroubleAuthType:
		return "auth-type"
	case TroubleUnsigned:
		return "auth-unsigned"
	case TroubleKey:
		return "auth-key"
	case TroubleDigest:
		return "auth-digest"
	case TroubleClock:
		return "clock"
	case TroubleStale:
		return "auth-stale"
	case TroubleInterval:
		return "interval"
	case TroubleVersion:
		return "version"
	case TroubleVRID:
		return "vrid"
	case TroubleAddresses:
		return "addresses"
	case TroubleChecksum:
		return "checksum"
	case TroubleChecksumForm:
		return "checksum-form"
	case TroubleTTL:
		return "ttl"
	case TroubleMode:
		return "mode"
	case TroublePeer:
		return "peer"
	case TroubleReplay:
		return "replay"
	case TroubleMalformed:
		return "malformed"
	case TroubleSecondMaster:
		return "second-master"
	case TroubleOwners:
		return "owners"
	case TroubleAddressLost:
		return "address-lost"
	case TroubleLate:
		return "late"
	case TroubleHost:
		return "host"
	case TroubleConflict:
		return "address-conflict"
	case TroubleBackupHolds:
		return "backup-holds-address"
	case TroubleSplitBrain:
		return "split-brain"
	case TroubleRouteLost:
		return "route-lost"
	}
	return "unknown"
}

// troubleOf maps a dropped packet to its trouble.
func troubleOf(d vrrp.Drop) TroubleKind {
	switch d {
	case vrrp.DropVRID:
		return TroubleVRID
	case vrrp.DropTTL:
		return TroubleTTL
	case vrrp.DropVersion:
		return TroubleVersion
	case vrrp.DropChecksum:
		return TroubleChecksum
	case vrrp.DropAuthType:
		return TroubleAuthType
	case vrrp.DropAuth:
		return TroubleAuth
	case vrrp.DropUnsigned, vrrp.DropSigned:
		return TroubleUnsigned
	case vrrp.DropTrailer, vrrp.DropKey:
		return TroubleKey
	case vrrp.DropDigest:
		return TroubleDigest
	case vrrp.DropStale:
		return TroubleStale
	case vrrp.DropReplay:
		return TroubleReplay
	case vrrp.DropInterval:
		return TroubleInterval
	case vrrp.DropMode:
		return TroubleMode
	case vrrp.DropPeer:
		return TroublePeer
	case vrrp.DropShort, vrrp.DropProtocol, vrrp.DropType, vrrp.DropLength:
	}
	return TroubleMalformed
}
