package vrrp

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// draftKey is the key of the draft's vectors: the bytes 0 to 31.
func draftKey(t testing.TB) Secret {
	return Secret(unhex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
}

// draftVectors are the images of draft-cassen-vrrp-auth-hmac's appendix, which
// keepalived's test/auth_hmac_test.c uses too: version 3, VRID 51, priority 200,
// sequence 0x6800000080000000.
var draftVectors = []struct{ name, src, dst, vip, hex string }{
	{"IPv4", "198.51.100.10", "192.0.2.10", "192.0.2.100/32",
		"3133c80100644402 c0000264 010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265"},
	{"IPv6", "fe80::10", "fe80::20", "fe80::100/128",
		"3133c8010064a2e9 fe800000000000000000000000000100 010100006800000080000000 c8c56146ebfd66ee10ec4d8186461b78"},
}

// draftTime is the clock that gives the sequence of the vectors.
var draftTime = time.Unix(0x68000000, int64(time.Second)/2)

func hmacConfig(t testing.TB, vip string, change ...func(*HMAC)) Config {
	h := &HMAC{Keys: []Key{{1, draftKey(t)}}, Window: 5 * time.Second}
	for _, f := range change {
		f(h)
	}
	return Config{
		Name: "VI_1", VRID: 51, Version: V3, Priority: 200, Checksum: ChecksumPlain,
		Addresses: []Address{{Prefix: prefix(vip)}}, HMAC: h,
	}
}

func codecOf(t testing.TB, cfg Config) *Codec {
	t.Helper()
	c, err := NewCodec(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sent is what arrives of c's next advert.
func sent(t testing.TB, c *Codec, now time.Time, src, dst string) Packet {
	t.Helper()
	return packetOf(t, bytes.Clone(c.Encode(now, addr(src), addr(dst), 200)), src, dst)
}

func TestDraftVectors(t *testing.T) {
	for _, v := range draftVectors {
		t.Run(v.name, func(t *testing.T) {
			want := unhex(t, v.hex)
			cfg := hmacConfig(t, v.vip)
			cfg.Peers = []netip.Addr{addr(v.src), addr(v.dst)}
			got := codecOf(t, cfg).Encode(draftTime, addr(v.src), addr(v.dst), 200)
			if addr(v.src).Is4() {
				p, err := ParseIPv4(got)
				if err != nil {
					t.Fatal(err)
				}
				got = p.Payload
			}
			if !bytes.Equal(got, want) {
				t.Errorf("Encode:\n got %x\nwant %x", got, want)
			}

			p := Packet{Source: addr(v.src), Destination: addr(v.dst), TTL: TTL, Protocol: ProtocolVRRP, Payload: want}
			receiver := codecOf(t, cfg)
			var a Advert
			if err := receiver.Decode(draftTime, &a, p); err != nil || a.KeyID != 1 || a.Behind != 0 || a.Priority != 200 || !receiver.SameAddresses(&a) {
				t.Errorf("Decode: %+v, %v", a, err)
			}
			// What one flipped bit makes of it. The checksum comes after the digest.
			end := len(want)
			at := func(i int) func([]byte) { return func(b []byte) { b[i] ^= 1 } }
			for _, m := range []struct {
				what  string
				alter func(b []byte)
				want  Drop
			}{
				{"priority", at(2), DropDigest},
				{"interval", at(5), DropDigest},
				{"checksum", at(7), DropChecksum},
				{"address", at(headerLen), DropDigest},
				{"scheme", at(end - 28), DropTrailer},
				{"key id", at(end - 27), DropKey},
				{"reserved", at(end - 26), DropTrailer},
				{"reserved, second byte", at(end - 25), DropTrailer},
				{"seconds", at(end - 21), DropDigest},
				{"many seconds", at(end - 23), DropStale},
				{"fraction", at(end - 20), DropDigest},
				{"counter", at(end - 17), DropDigest},
				{"digest", at(end - 16), DropDigest},
				{"last byte", at(end - 1), DropDigest},
				{"type", at(0), DropDigest},
				{"another router", at(1), DropVRID},
			} {
				b := bytes.Clone(want)
				m.alter(b)
				p.Payload = b
				err := codecOf(t, cfg).Decode(draftTime, new(Advert), p)
				if !errors.Is(err, m.want) {
					t.Errorf("%s altered: %v, want %v", m.what, err, m.want)
				}
			}
			p.Payload = want
			p.Source = addr(v.dst) // a peer too
			if err := codecOf(t, cfg).Decode(draftTime, new(Advert), p); !errors.Is(err, DropDigest) {
				t.Errorf("another source: %v", err)
			}
			p.Source = addr(v.src).Next()
			if err := codecOf(t, cfg).Decode(draftTime, new(Advert), p); !errors.Is(err, DropPeer) {
				t.Errorf("a stranger: %v", err)
			}
		})
	}
}

// TestHMACEverywhere: versions, families, multicast and unicast, checksum forms.
func TestHMACEverywhere(t *testing.T) {
	for _, tt := range []struct {
		version  Version
		vip      string
		src, dst string
	}{
		{V2, "192.0.2.100/24", "192.0.2.1", "224.0.0.18"}, {V2, "192.0.2.100/24", "192.0.2.1", "192.0.2.2"},
		{V3, "192.0.2.100/24", "192.0.2.1", "224.0.0.18"}, {V3, "192.0.2.100/24", "192.0.2.1", "192.0.2.2"},
		{V3, "2001:db8::100/64", "fe80::1", "ff02::12"}, {V3, "2001:db8::100/64", "fe80::1", "fe80::2"},
	} {
		for _, form := range []ChecksumForm{ChecksumPseudo, ChecksumPlain} {
			t.Run(fmt.Sprintf("version %d to %s, %s", tt.version, tt.dst, form), func(t *testing.T) {
				cfg := hmacConfig(t, tt.vip)
				cfg.Version, cfg.Checksum = tt.version, form
				if !addr(tt.dst).IsMulticast() {
					cfg.Peers = []netip.Addr{addr(tt.src)}
				}
				sender, receiver := codecOf(t, cfg), codecOf(t, cfg)
				for i := range 3 {
					var a Advert
					now := draftTime.Add(time.Duration(i) * time.Second)
					if err := receiver.Decode(now, &a, sent(t, sender, now, tt.src, tt.dst)); err != nil || a.KeyID != 1 {
						t.Fatalf("advert %d: %+v, %v", i, a, err)
					}
				}
				// Whoever does not know the trailer refuses it, and says why.
				cfg.HMAC = nil
				plain := codecOf(t, cfg)
				p := sent(t, sender, draftTime, tt.src, tt.dst)
				err := plain.Decode(draftTime, new(Advert), p)
				if !errors.Is(err, DropSigned) || !strings.Contains(plain.Explain(DropSigned, p), "we have no keys") {
					t.Errorf("without keys: %v", err)
				}
			})
		}
	}
}

func TestHMACModes(t *testing.T) {
	tests := []struct {
		ours, theirs HMACMode
		want         error
		key          uint8
	}{
		{HMACEnforce, HMACEnforce, nil, 1}, {HMACEnforce, HMACPermissive, nil, 1}, {HMACEnforce, HMACReceiveOnly, DropUnsigned, 0},
		{HMACPermissive, HMACEnforce, nil, 1}, {HMACPermissive, HMACPermissive, nil, 1}, {HMACPermissive, HMACReceiveOnly, nil, 0},
		{HMACReceiveOnly, HMACEnforce, nil, 1}, {HMACReceiveOnly, HMACPermissive, nil, 1}, {HMACReceiveOnly, HMACReceiveOnly, nil, 0},
	}
	for _, tt := range tests {
		ours := codecOf(t, hmacConfig(t, "192.0.2.100/24", func(h *HMAC) { h.Mode = tt.ours }))
		theirs := codecOf(t, hmacConfig(t, "192.0.2.100/24", func(h *HMAC) { h.Mode = tt.theirs }))
		var a Advert
		err := ours.Decode(draftTime, &a, sent(t, theirs, draftTime, "192.0.2.1", "224.0.0.18"))
		if !errors.Is(err, tt.want) || err == nil && a.KeyID != tt.key {
			t.Errorf("%s hears %s: %v, key %d", tt.ours, tt.theirs, err, a.KeyID)
		}
		if ours.Signs() != (tt.ours != HMACReceiveOnly) {
			t.Errorf("%s signs: %v", tt.ours, ours.Signs())
		}
	}
	// A trailer that is there must be right, in every mode.
	for _, mode := range []HMACMode{HMACEnforce, HMACPermissive, HMACReceiveOnly} {
		ours := codecOf(t, hmacConfig(t, "192.0.2.100/24", func(h *HMAC) { h.Mode = mode }))
		forger := codecOf(t, hmacConfig(t, "192.0.2.100/24", func(h *HMAC) { h.Keys[0].Secret = Secret(strings.Repeat("x", MinKey)) }))
		if err := ours.Decode(draftTime, new(Advert), sent(t, forger, draftTime, "192.0.2.1", "224.0.0.18")); !errors.Is(err, DropDigest) {
			t.Errorf("%s hears a forger: %v", mode, err)
		}
	}
}

// TestRollout: in whatever order the routers are taken from one step to the
// next, of the rollout and of an exchange of keys, no router drops an advert of
// another; and leaving out a step does.
func TestRollout(t *testing.T) {
	one, two := Key{1, draftKey(t)}, Key{2, Secret(strings.Repeat("k", MaxKey))}
	steps := []*HMAC{
		nil,
		{Mode: HMACReceiveOnly, Keys: []Key{one}},
		{Mode: HMACPermissive, Keys: []Key{one}},
		{Mode: HMACEnforce, Keys: []Key{one}},
		{Mode: HMACEnforce, Keys: []Key{one, two}, ActiveKey: 1},
		{Mode: HMACEnforce, Keys: []Key{one, two}, ActiveKey: 2},
		{Mode: HMACEnforce, Keys: []Key{two}},
	}
	rapid.Check(t, func(rt *rapid.T) {
		skip := rapid.SampledFrom([]int{0, 1, 2, 4, 5}).Draw(rt, "step left out, 0 for none")
		version := rapid.SampledFrom([]Version{V2, V3}).Draw(rt, "version")
		var path []*HMAC
		for i, s := range steps {
			if i == 0 || i != skip {
				path = append(path, s)
			}
		}
		cfg := hmacConfig(t, "192.0.2.100/24")
		cfg.HMAC, cfg.Version = nil, version
		sources := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}[:rapid.IntRange(2, 3).Draw(rt, "routers")]
		codecs := make([]*Codec, len(sources))
		for i := range codecs {
			codecs[i] = codecOf(t, cfg)
		}
		now, dropped := draftTime, 0
		everybody := func() {
			for i, from := range codecs {
				now = now.Add(100 * time.Millisecond)
				p := sent(t, from, now, sources[i], "224.0.0.18")
				for j, to := range codecs {
					if i == j {
						continue
					}
					if err := to.Decode(now, new(Advert), p); err != nil {
						dropped++
						if skip == 0 {
							rt.Fatalf("%s drops an advert of %s: %s", sources[j], sources[i], to.Explain(dropOf(err), p))
						}
					}
				}
			}
		}
		everybody()
		for _, step := range path[1:] {
			for _, i := range rapid.Permutation([]int{0, 1, 2}[:len(codecs)]).Draw(rt, "order") {
				if err := codecs[i].SetHMAC(step); err != nil {
					rt.Fatal(err)
				}
				everybody()
			}
		}
		if skip != 0 && dropped == 0 {
			rt.Fatalf("step %d left out and nothing was dropped", skip)
		}
	})
}

func TestHMACValidate(t *testing.T) {
	for _, tt := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.HMAC.Keys = nil }, "HMAC.Keys: at least one is required"},
		{func(c *Config) { c.HMAC.Keys[0].ID = 0 }, "HMAC.Keys[0]: id must be 1 to 255"},
		{func(c *Config) { c.HMAC.Keys[0].Secret = "short" }, "HMAC.Keys[0]: has 5 bytes; must have 32 to 64"},
		{func(c *Config) { c.HMAC.Keys[0].Secret = Secret(strings.Repeat("x", 65)) }, "HMAC.Keys[0]: has 65 bytes"},
		{func(c *Config) { c.HMAC.Keys = slices.Repeat(c.HMAC.Keys, 2) }, "HMAC.Keys[1]: id 1 is used twice"},
		{func(c *Config) { c.HMAC.Keys = slices.Repeat(c.HMAC.Keys, 2) }, "HMAC.ActiveKey: is 0, which is no id of a key"},
		{func(c *Config) { c.HMAC.ActiveKey = 9 }, "HMAC.ActiveKey: is 9"},
		{func(c *Config) { c.HMAC.Mode = 3 }, "HMAC.Mode: is 3"},
		{func(c *Config) { c.HMAC.AntiReplay = 2 }, "HMAC.AntiReplay: is 2"},
		{func(c *Config) { c.HMAC.Window = 301 * time.Second }, "HMAC.Window: is 5m1s"},
		{func(c *Config) { c.HMAC.Window = 1500 * time.Millisecond }, "HMAC.Window: is 1.5s"},
		{func(c *Config) { c.Version, c.Auth = V2, Auth{AuthPass, "x"} }, "HMAC: excludes Auth.Type pass"},
	} {
		cfg := hmacConfig(t, "192.0.2.100/24")
		tt.change(&cfg)
		err := cfg.WithDefaults().Validate()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
		if c := codecOf(t, hmacConfig(t, "192.0.2.100/24")); c.cfg.Auth == cfg.Auth && c.SetHMAC(cfg.HMAC) == nil {
			t.Errorf("SetHMAC takes what Validate refuses: %s", tt.want)
		}
	}
	for interval, want := range map[time.Duration]time.Duration{
		10 * time.Millisecond: 5 * time.Second, time.Second: 5 * time.Second, 2500 * time.Millisecond: 6 * time.Second, 200 * time.Second: 300 * time.Second,
	} {
		cfg := Config{Interval: interval, HMAC: &HMAC{Keys: []Key{{7, draftKey(t)}}}}
		if got := cfg.WithDefaults().HMAC; got.Window != want || got.ActiveKey != 7 || cfg.HMAC.Window != 0 {
			t.Errorf("interval %s: %+v", interval, got)
		}
	}
}

// FuzzTrailer: whatever comes in, Decode ends with an advert that was signed
// with the key, or a Drop that can be explained.
func FuzzTrailer(f *testing.F) {
	for _, v := range draftVectors {
		f.Add(unhex(f, v.hex), addr(v.src).Is4(), byte(HMACEnforce))
		f.Add(unhex(f, v.hex), addr(v.src).Is4(), byte(HMACReceiveOnly))
	}
	for _, c := range captures {
		f.Add(unhex(f, c.bytes), addr(c.src).Is4(), byte(HMACPermissive))
	}
	f.Fuzz(func(t *testing.T, b []byte, v4 bool, mode byte) {
		v := draftVectors[1]
		if v4 {
			v = draftVectors[0]
		}
		cfg := hmacConfig(t, v.vip, func(h *HMAC) { h.Mode = HMACMode(mode % 3) })
		p := Packet{Source: addr(v.src), Destination: cfg.Group(), TTL: TTL, Protocol: ProtocolVRRP, Payload: b}
		if len(b) > 0 {
			cfg.Version = Version(b[0] >> 4)
		}
		c, err := NewCodec(cfg)
		if err != nil {
			return // another version
		}
		var a Advert
		err = c.Decode(draftTime, &a, p)
		var d Drop
		switch {
		case errors.As(err, &d):
			if c.Explain(d, p) == "" {
				t.Errorf("no words for %v", d)
			}
		case err != nil:
			t.Fatalf("error is not a Drop: %v", err)
		case a.KeyID == 0 && c.cfg.HMAC.Mode == HMACEnforce:
			t.Fatal("unsigned and accepted")
		case a.KeyID != 0:
			if err := c.Decode(draftTime, new(Advert), p); !errors.Is(err, DropReplay) {
				t.Fatalf("accepted twice: %v", err)
			}
		}
	})
}

func BenchmarkDecodeSigned(b *testing.B) {
	cfg := hmacConfig(b, "192.0.2.100/24", func(h *HMAC) { h.AntiReplay = ReplayMonotonic })
	sender, receiver := codecOf(b, cfg), codecOf(b, cfg)
	var a Advert
	b.ReportAllocs()
	for b.Loop() {
		p, err := ParseIPv4(sender.Encode(draftTime, addr("192.0.2.1"), Group4, 100))
		if err == nil {
			err = receiver.Decode(draftTime, &a, p)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// dropOf is the Drop that a codec's error is, 0 for another error.
func dropOf(err error) Drop {
	d, _ := errors.AsType[Drop](err)
	return d
}
