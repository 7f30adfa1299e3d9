package vrrp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/netip"
	"time"
)

// The trailer, after the VRRP message:
//
//	| type 1 | key id | reserved 0 (2) | seconds (4) | 1/65536 s (2) | counter (2) |
//	| first 16 bytes of the HMAC-SHA256                                            |
//
// The IP lengths count it. The VRRP checksum of IPv4 does not, that of IPv6
// does, because there the kernel may compute it over the whole payload.
const (
	trailerLen    = 28
	trailerHead   = 12 // what of it the digest covers
	digestLen     = 16
	trailerSHA256 = 1 // type
)

// trailerIn is the length of the trailer of a message: trailerLen when the
// message is longer than its header says by exactly that, else 0.
func trailerIn(message []byte, v4 bool) int {
	if len(message) < headerLen || len(message) != messageLen(message, v4)+trailerLen {
		return 0
	}
	return trailerLen
}

// messageLen is how long a message is without a trailer, by its header.
func messageLen(message []byte, v4 bool) int {
	size, tail := 16, 0
	if v4 {
		size = 4
		if Version(message[0]>>4) == V2 {
			tail = secretLen
		}
	}
	return headerLen + int(message[3])*size + tail
}

// signer makes and checks trailers for one HMAC. The zero value has no keys.
type signer struct {
	cfg  *HMAC
	macs map[uint8]hash.Hash // by key id
	buf  [sha256.Size]byte
	head [20]byte
}

func newSigner(h *HMAC) signer {
	s := signer{cfg: h, macs: map[uint8]hash.Hash{}}
	if h != nil {
		for _, k := range h.Keys {
			s.macs[k.ID] = hmac.New(sha256.New, []byte(k.Secret))
		}
	}
	return s
}

var zeros [digestLen]byte

// digest computes what ends a trailer. signed is the message with the head of
// its trailer. The checksum counts as zero; a pseudo-header ties the advert to
// its family, version, virtual router and sender, so that it cannot be used for
// another one with the same key. The slice is valid until the next call.
func (s *signer) digest(mac hash.Hash, signed []byte, src netip.Addr) []byte {
	h := &s.head
	*h = [20]byte{0: 4, 1: signed[0] >> 4, 2: signed[1]}
	if src.Is4() {
		ip := src.As4()
		copy(h[4:], ip[:])
	} else {
		h[0] = 6
		ip := src.As16()
		copy(h[4:], ip[:])
	}
	mac.Reset()
	mac.Write(h[:])
	mac.Write(signed[:6])
	mac.Write(zeros[:2])
	mac.Write(signed[headerLen:])
	mac.Write(zeros[:])
	return mac.Sum(s.buf[:0])[:digestLen]
}

// sign appends the trailer to b, whose message begins at start.
func (s *signer) sign(b []byte, start int, src netip.Addr, seq sequence) []byte {
	b = append(b, trailerSHA256, s.cfg.ActiveKey, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(seq))
	return append(b, s.digest(s.macs[s.cfg.ActiveKey], b[start:], src)...)
}

// verify checks the trailer at the end of message, all but the order of its
// sequence, which is left to the caller, and gives that sequence and by how much
// the sender's clock is behind ours. The age is looked at before the digest, so
// that a flood of recorded adverts costs nothing; it only ever refuses.
func (s *signer) verify(now time.Time, message []byte, src netip.Addr) (seq sequence, behind time.Duration, err error) {
	signed := message[:len(message)-digestLen]
	t := signed[len(signed)-trailerHead:]
	seq = sequence(binary.BigEndian.Uint64(t[4:]))
	behind = seq.behind(now)
	mac := s.macs[t[1]]
	switch {
	case t[0] != trailerSHA256, t[2] != 0, t[3] != 0:
		return seq, behind, DropTrailer
	case s.cfg.AntiReplay == ReplayTime && !within(behind, s.cfg.Window):
		return seq, behind, DropStale
	case mac == nil:
		return seq, behind, DropKey
	case !hmac.Equal(s.digest(mac, signed, src), message[len(message)-digestLen:]):
		return seq, behind, DropDigest
	}
	return seq, behind, nil
}
