package vrrp

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var cmpAddr = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

// genAdvert draws an advert and its addresses on the wire.
func genAdvert(t *rapid.T) (a Advert, src, dst netip.Addr) {
	v4 := rapid.Bool().Draw(t, "v4")
	ip := func(name string) netip.Addr {
		if v4 {
			return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, name)))
		}
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name)
		b[0] = 0x20 // not IPv4-mapped
		return netip.AddrFrom16([16]byte(b))
	}
	a = Advert{
		Version:  rapid.SampledFrom([]Version{V2, V3}).Draw(t, "version"),
		VRID:     rapid.Byte().Draw(t, "vrid"),
		Priority: rapid.Byte().Draw(t, "priority"),
	}
	for range rapid.IntRange(0, 20).Draw(t, "count") {
		a.Addresses = append(a.Addresses, ip("address"))
	}
	if a.Version == V2 {
		a.Interval = time.Duration(rapid.Byte().Draw(t, "seconds")) * time.Second
		a.Auth = AuthType(rapid.IntRange(0, 2).Draw(t, "auth"))
		if v4 {
			copy(a.Secret[:], rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "secret"))
		}
		a.Checksum = ChecksumPlain
	} else {
		a.Interval = time.Duration(rapid.IntRange(0, maxInterval3).Draw(t, "centiseconds")) * centisecond
		a.Checksum = rapid.SampledFrom([]ChecksumForm{ChecksumPlain, ChecksumPseudo}).Draw(t, "checksum")
	}
	if !v4 {
		a.Checksum = ChecksumPseudo
	}
	return a, ip("src"), ip("dst")
}

func TestAppendParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, src, dst := genAdvert(t)
		b := Append([]byte("kept"), &a, src, dst)
		if !bytes.HasPrefix(b, []byte("kept")) {
			t.Fatal("Append does not append")
		}
		var got Advert
		if err := Parse(&got, b[4:], src, dst); err != nil {
			t.Fatalf("Parse: %v", err)
		}
		// Both forms are the same when the pseudo-header sums to zero.
		if fold(pseudo(src, dst, len(b)-4)) == 0 {
			got.Checksum = a.Checksum
		}
		if diff := cmp.Diff(a, got, cmpAddr, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-sent +parsed)\n%s", diff)
		}
	})
}

// TestParseBitFlip: no single flipped bit goes unnoticed, but for the reserved
// bits of version 3, which must be ignored, and what the checksum covers.
func TestParseBitFlip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, src, dst := genAdvert(t)
		b := Append(nil, &a, src, dst)
		i := rapid.IntRange(0, len(b)*8-1).Draw(t, "bit")
		b[i/8] ^= 1 << (i % 8)
		if err := Parse(new(Advert), b, src, dst); err == nil && fold(pseudo(src, dst, len(b))) != 0 {
			t.Errorf("bit %d of byte %d flipped and accepted", i%8, i/8)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, c := range captures {
		f.Add(unhex(f, c.bytes), addr(c.src).Is4())
	}
	codecs := []*Codec{}
	for _, c := range captures {
		codec, err := NewCodec(c.cfg())
		if err != nil {
			f.Fatal(err)
		}
		codecs = append(codecs, codec)
	}
	f.Fuzz(func(t *testing.T, b []byte, v4 bool) {
		p := Packet{Source: addr("fe80::1"), Destination: Group6, TTL: TTL, Protocol: ProtocolVRRP, Payload: b}
		if v4 {
			var err error
			if p, err = ParseIPv4(b); err != nil {
				return
			}
		}
		for _, c := range codecs {
			var a Advert
			err := c.Decode(testTime, &a, p)
			var d Drop
			if err != nil && !errors.As(err, &d) {
				t.Fatalf("error is not a Drop: %v", err)
			}
			_ = c.Explain(d, p)
		}
		var a, again Advert
		if err := Parse(&a, p.Payload, p.Source, p.Destination); err != nil {
			return
		}
		b2 := Append(nil, &a, p.Source, p.Destination)
		if err := Parse(&again, b2, p.Source, p.Destination); err != nil {
			t.Fatalf("what was parsed, appended, does not parse: %v", err)
		}
		if diff := cmp.Diff(a, again, cmpAddr, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-first +second)\n%s", diff)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, c := range captures {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			p := packetOf(b, unhex(b, c.bytes), c.src, c.dst)
			if p.Protocol == ProtocolAH {
				p.Payload = p.Payload[ahLen:]
			}
			var a Advert
			b.ReportAllocs()
			for b.Loop() {
				if err := Parse(&a, p.Payload, p.Source, p.Destination); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	c := captures[0]
	codec, err := NewCodec(c.cfg())
	if err != nil {
		b.Fatal(err)
	}
	raw := unhex(b, c.bytes)
	var a Advert
	b.ReportAllocs()
	for b.Loop() {
		p, err := ParseIPv4(raw)
		if err == nil {
			err = codec.Decode(testTime, &a, p)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// TestParseDoesNotAllocate is the promise of Parse and Decode.
func TestParseDoesNotAllocate(t *testing.T) {
	c := captures[0]
	codec, _ := NewCodec(c.cfg())
	raw := unhex(t, c.bytes)
	var a Advert
	if n := testing.AllocsPerRun(1000, func() {
		p, err := ParseIPv4(raw)
		if err == nil {
			err = codec.Decode(testTime, &a, p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
}
