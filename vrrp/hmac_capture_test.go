package vrrp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"
)

// signedCaptures are the first adverts of keepalived 2.4.3 with auth_hmac, key 7
// being that of the draft, on a LAN: from the IP header on, for IPv6 the VRRP
// message. Priority 200.
var signedCaptures = []struct {
	name     string
	version  Version
	src, dst string
	vip      string
	bytes    string
}{
	{
		"version 2 over IPv4", V2, "192.0.2.2", "224.0.0.18", "192.0.2.100/24",
		`45 c0 0044 0001 0000 ff 70 1874 c0000202 e0000012` +
			`21 33 c8 01  00 01 5465  c0000264  00000000 00000000` +
			`01 07 0000 6b09ab0e 808d 0000 daa5cd81e7a385dc670524f4bbc60a6b`,
	},
	{
		"version 3 over IPv4", V3, "192.0.2.2", "224.0.0.18", "192.0.2.100/24",
		`45 c0 003c 0001 0000 ff 70 187c c0000202 e0000012` +
			`31 33 c8 01  0064 a170  c0000264` +
			`01 07 0000 6b09ab0e 7f2b 0000 24e9cc5c1f9b48dcb39d0d06229d275d`,
	},
	{
		"version 3 over IPv6", V3, "fe80::b", "ff02::12", "2001:db8::100/64",
		`31 33 c8 01  0064 6617  20010db8000000000000000000000100` +
			`01 07 0000 6b09ab0e 7c2a 0000 4b7027062fa6f6b179b5ce44c63e3900`,
	},
}

// TestSignedCaptures: what keepalived signs is accepted, and at the same moment
// we send the same bytes.
func TestSignedCaptures(t *testing.T) {
	for _, v := range signedCaptures {
		t.Run(v.name, func(t *testing.T) {
			want := unhex(t, v.bytes)
			stamp := binary.BigEndian.Uint64(want[len(want)-24:])
			fraction := stamp >> 16 & 0xffff
			at := time.Unix(int64(stamp>>32), int64((fraction*uint64(time.Second)+0xffff)>>16))
			cfg := hmacConfig(t, v.vip)
			cfg.Version, cfg.Checksum = v.version, ChecksumPseudo
			cfg.HMAC.Keys, cfg.HMAC.ActiveKey = []Key{{1, "another key of thirty-two bytes!"}, {7, draftKey(t)}}, 7
			if got := codecOf(t, cfg).Encode(at, addr(v.src), addr(v.dst), 200); !bytes.Equal(got, want) {
				t.Errorf("Encode:\n got %x\nwant %x", got, want)
			}
			var a Advert
			receiver := codecOf(t, cfg)
			p := packetOf(t, want, v.src, v.dst)
			if err := receiver.Decode(at.Add(time.Second), &a, p); err != nil || a.KeyID != 7 || a.Priority != 200 || !receiver.SameAddresses(&a) {
				t.Errorf("Decode: %+v, %v", a, err)
			}
			if err := receiver.Decode(at.Add(time.Second), &a, p); !errors.Is(err, DropReplay) {
				t.Errorf("the same again: %v", err)
			}
		})
	}
}
