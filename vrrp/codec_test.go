package vrrp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// testTime is the wall clock of tests that have no trailer to look at it.
var testTime = time.Unix(1_800_000_000, 0)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// captureConfig is the virtual router of the captures below.
func captureConfig() Config {
	return Config{
		Name: "VI_1", VRID: 51, Priority: 100,
		Addresses: []Address{{Prefix: prefix("192.0.2.100/24")}},
	}
}

// captures are adverts of keepalived 2.2.7, from the IP header on (IPv6: the
// VRRP message), and the configuration that makes us send the same bytes.
var captures = []struct {
	name  string
	cfg   func() Config
	src   string
	dst   string
	nth   int // the capture is the nth advert of the process
	bytes string
}{
	{
		name: "version 2, password", nth: 1, src: "192.0.2.1", dst: "224.0.0.18",
		cfg: func() Config {
			c := captureConfig()
			c.Auth = Auth{Type: AuthPass, Secret: "5525"}
			return c
		},
		bytes: `45 c0 0028 0001 0000 ff 70 1891 c0000201 e0000012` + // TOS c0, no DF, TTL 255, protocol 112
			`21 33 64 01  01 01 4ffb` + // v2 advert, VRID 51, priority 100, 1 address; password, 1 s, checksum
			`c0000264  35353235 00000000`, // the address; "5525" padded with NUL
	},
	{
		name: "version 2, authentication header", nth: 2, src: "192.0.2.1", dst: "224.0.0.18",
		cfg: func() Config {
			c := captureConfig()
			c.Auth = Auth{Type: AuthAH, Secret: "5525"}
			return c
		},
		bytes: `45 c0 0040 0002 0000 ff 33 18b5 c0000201 e0000012` + // protocol 51
			`70 04 0000 c0000201 00000002 e08faad7dba1e40a1bfab2f0` + // next 112, SPI = source, sequence 2, ICV
			`21 33 64 01  02 01 b665  c0000264  00000000 00000000`, // no password inside
	},
	{
		name: "version 3 over IPv4", nth: 1, src: "192.0.2.1", dst: "224.0.0.18",
		cfg: func() Config {
			c := captureConfig()
			c.Version = V3
			c.Addresses = append(c.Addresses, Address{Prefix: prefix("192.0.2.101/24")})
			return c
		},
		bytes: `45 c0 0024 0001 0000 ff 70 1895 c0000201 e0000012` +
			`31 33 64 02  0064 4307` + // 100 centiseconds; checksum with pseudo-header
			`c0000264 c0000265`,
	},
	{
		name: "version 3 over IPv6", nth: 1, src: "fe80::1", dst: "ff02::12",
		cfg: func() Config {
			c := captureConfig()
			c.Addresses = []Address{{Prefix: prefix("fe80::100/64")}, {Prefix: prefix("2001:db8::100/64")}}
			return c
		},
		bytes: `31 33 64 02  0064 3dfd` +
			`fe800000000000000000000000000100 20010db8000000000000000000000100`,
	},
}

func packetOf(t testing.TB, b []byte, src, dst string) Packet {
	t.Helper()
	if addr(src).Is4() {
		p, err := ParseIPv4(b)
		if err != nil {
			t.Fatalf("ParseIPv4: %v", err)
		}
		return p
	}
	return Packet{Source: addr(src), Destination: addr(dst), TTL: TTL, Protocol: ProtocolVRRP, Payload: b}
}

func TestKeepalivedCaptures(t *testing.T) {
	for _, tt := range captures {
		t.Run(tt.name, func(t *testing.T) {
			want := unhex(t, tt.bytes)
			c, err := NewCodec(tt.cfg())
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			for range tt.nth {
				got = c.Encode(testTime, addr(tt.src), addr(tt.dst), 100)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("Encode:\n got %x\nwant %x", got, want)
			}

			receiver, err := NewCodec(tt.cfg())
			if err != nil {
				t.Fatal(err)
			}
			var a Advert
			if err := receiver.Decode(testTime, &a, packetOf(t, want, tt.src, tt.dst)); err != nil {
				t.Fatalf("Decode: %v", err)
			}
			if a.Priority != 100 || a.Interval != time.Second || !receiver.SameAddresses(&a) {
				t.Errorf("decoded %+v", a)
			}
		})
	}
}

// TestDecodeDrops takes a good packet, breaks one thing and names the reason.
func TestDecodeDrops(t *testing.T) {
	sum := func(m []byte) { // makes the checksum right again: plain form
		m[6], m[7] = 0, 0
		s := fold(sum(0, m))
		m[6], m[7] = byte(s>>8), byte(s)
	}
	tests := []struct {
		name   string
		from   int // index into captures
		change func(*Config)
		break_ func(b []byte) []byte // of the whole packet
		want   Drop
	}{
		{name: "truncated IP header", break_: func(b []byte) []byte { return b[:19] }, want: DropShort},
		{name: "total length beyond the packet", break_: func(b []byte) []byte { b[3] = 200; return b }, want: DropShort},
		{name: "not VRRP", break_: func(b []byte) []byte { b[9] = 17; return b }, want: DropProtocol},
		{name: "authentication header not configured", from: 1, change: func(c *Config) { c.Auth = Auth{} }, want: DropProtocol},
		{name: "another VRID", change: func(c *Config) { c.VRID = 52 }, want: DropVRID},
		{name: "TTL 254", break_: func(b []byte) []byte { b[8] = 254; return b }, want: DropTTL},
		{name: "version 4", break_: func(b []byte) []byte { b[20] = 0x41; sum(b[20:]); return b }, want: DropVersion},
		{name: "version 3 wanted", change: func(c *Config) { c.Version = V3; c.Auth = Auth{} }, want: DropVersion},
		{name: "type 2", break_: func(b []byte) []byte { b[20] = 0x22; sum(b[20:]); return b }, want: DropType},
		{name: "count too high", break_: func(b []byte) []byte { b[23] = 2; sum(b[20:]); return b }, want: DropLength},
		{name: "one byte missing", break_: func(b []byte) []byte { b[3]--; return b[:len(b)-1] }, want: DropLength},
		{name: "checksum", break_: func(b []byte) []byte { b[27]++; return b }, want: DropChecksum},
		{name: "no authentication wanted", change: func(c *Config) { c.Auth = Auth{} }, want: DropAuthType},
		{name: "another password", change: func(c *Config) { c.Auth.Secret = "5526" }, want: DropAuth},
		{name: "longer password", change: func(c *Config) { c.Auth.Secret = "55255" }, want: DropAuth},
		{name: "AH, another key", from: 1, change: func(c *Config) { c.Auth.Secret = "5526" }, want: DropAuth},
		{name: "AH, message altered", from: 1, break_: func(b []byte) []byte { b[46] = 0xff; sum(b[44:]); return b }, want: DropAuth},
		{name: "AH, source altered", from: 1, break_: func(b []byte) []byte { b[15] = 9; return b }, want: DropAuth},
		{name: "AH, TTL is covered", from: 1, break_: func(b []byte) []byte { b[8] = 254; return b }, want: DropTTL},
		{name: "another interval", change: func(c *Config) { c.Interval = 2 * time.Second }, want: DropInterval},
		{name: "version 3, interval 0", from: 2, break_: func(b []byte) []byte { b[24], b[25] = 0, 0; sum(b[20:]); return b }, want: DropInterval},
		{name: "unicast wanted", change: func(c *Config) { c.Peers = []netip.Addr{addr("192.0.2.1")} }, want: DropMode},
		{name: "version 3, IPv6 checksum", from: 3, break_: func(b []byte) []byte { b[7]++; return b }, want: DropChecksum},
		{name: "version 3, IPv6 without pseudo-header", from: 3, break_: func(b []byte) []byte { sum(b); return b }, want: DropChecksum},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			capture := captures[tt.from]
			cfg := capture.cfg()
			if tt.change != nil {
				tt.change(&cfg)
			}
			c, err := NewCodec(cfg)
			if err != nil {
				t.Fatal(err)
			}
			b := unhex(t, capture.bytes)
			if tt.break_ != nil {
				b = tt.break_(b)
			}
			var p Packet
			if addr(capture.src).Is4() {
				p, err = ParseIPv4(b)
			} else {
				p = packetOf(t, b, capture.src, capture.dst)
			}
			if err == nil {
				err = c.Decode(testTime, new(Advert), p)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if why := c.Explain(tt.want, p); why == "" || strings.Contains(why, "5525") {
				t.Errorf("Explain: %q", why)
			}
		})
	}
}

func TestDecodeUnicast(t *testing.T) {
	cfg := captureConfig()
	cfg.Peers = []netip.Addr{addr("192.0.2.1"), addr("192.0.2.2")}
	for _, auth := range []Auth{{}, {AuthPass, "x"}, {AuthAH, "x"}} {
		cfg.Auth = auth
		c, _ := NewCodec(cfg)
		peer, _ := NewCodec(cfg)
		p, err := ParseIPv4(bytes.Clone(c.Encode(testTime, addr("192.0.2.1"), addr("192.0.2.2"), 7)))
		if err != nil {
			t.Fatal(err)
		}
		var a Advert
		if err := peer.Decode(testTime, &a, p); err != nil || a.Priority != 7 {
			t.Errorf("%s: %+v, %v", auth.Type, a, err)
		}
		p, _ = ParseIPv4(bytes.Clone(c.Encode(testTime, addr("192.0.2.9"), addr("192.0.2.2"), 7)))
		if err := peer.Decode(testTime, &a, p); !errors.Is(err, DropPeer) {
			t.Errorf("%s, from a stranger: %v", auth.Type, err)
		}
	}
}

// TestTTL: what is sent, and what is accepted of whom.
func TestTTL(t *testing.T) {
	peer, other := addr("192.0.2.1"), addr("192.0.2.2")
	cfg := captureConfig()
	if b := codecOf(t, cfg).Encode(testTime, peer, Group4, 7); b[8] != 255 {
		t.Errorf("multicast is sent with TTL %d", b[8])
	}
	cfg.Peers = []netip.Addr{peer, other}
	if b := codecOf(t, cfg).Encode(testTime, peer, other, 7); b[8] != 255 {
		t.Errorf("unicast is sent with TTL %d", b[8])
	}
	cfg.UnicastTTL = 3
	cfg.PeerTTL = map[netip.Addr]TTLRange{peer: {Min: 254, Max: 254}}
	c := codecOf(t, cfg)
	for _, tt := range []struct {
		from netip.Addr
		ttl  uint8
		want error
	}{{peer, 255, DropTTL}, {peer, 254, nil}, {peer, 253, DropTTL}, {peer, 1, DropTTL}, {other, 1, nil}, {other, 255, nil}} {
		p, err := ParseIPv4(bytes.Clone(c.Encode(testTime, tt.from, addr("192.0.2.9"), 7)))
		if err != nil || p.TTL != 3 {
			t.Fatalf("sent with TTL %d, %v", p.TTL, err)
		}
		p.TTL = tt.ttl
		if err := c.Decode(testTime, new(Advert), p); !errors.Is(err, tt.want) {
			t.Errorf("TTL %d of %s: %v, want %v", tt.ttl, tt.from, err, tt.want)
		}
		if why := c.Explain(DropTTL, p); tt.from == peer && !strings.Contains(why, "must be 254") {
			t.Errorf("%s", why)
		}
	}
	for _, bad := range []map[netip.Addr]TTLRange{{addr("192.0.2.8"): {1, 255}}, {peer: {0, 255}}, {peer: {200, 100}}} {
		cfg.PeerTTL = bad
		if err := cfg.WithDefaults().Validate(); err == nil || !strings.Contains(err.Error(), "PeerTTL") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestReplay: the counter of the authentication header is shared by both directions.
func TestReplay(t *testing.T) {
	cfg := captures[1].cfg()
	sender, _ := NewCodec(cfg)
	receiver, _ := NewCodec(cfg)
	src := addr("192.0.2.1")
	var old Packet
	for i := range 5 {
		p, err := ParseIPv4(bytes.Clone(sender.Encode(testTime, src, Group4, 100)))
		if err != nil {
			t.Fatal(err)
		}
		if err := receiver.Decode(testTime, new(Advert), p); err != nil {
			t.Fatalf("advert %d: %v", i, err)
		}
		if i == 2 {
			old = p
		}
	}
	if err := receiver.Decode(testTime, new(Advert), old); !errors.Is(err, DropReplay) {
		t.Errorf("replayed advert: %v", err)
	}
	p, _ := ParseIPv4(bytes.Clone(receiver.Encode(testTime, addr("192.0.2.2"), Group4, 100)))
	if err := sender.Decode(testTime, new(Advert), p); err != nil {
		t.Errorf("first advert of the next master: %v; it must go on above what it heard", err)
	}
}

// TestVRIDMistyped: an advert of another virtual router with our addresses is
// told apart from a neighbour's.
func TestVRIDMistyped(t *testing.T) {
	for _, tt := range []struct {
		vip    string
		shares bool
	}{{"192.0.2.100/24", true}, {"192.0.2.200/24", false}} {
		cfg := captureConfig()
		cfg.VRID, cfg.Addresses[0].Prefix = 52, prefix(tt.vip)
		other, _ := NewCodec(cfg)
		ours, _ := NewCodec(captureConfig())
		p, _ := ParseIPv4(other.Encode(testTime, addr("192.0.2.9"), Group4, 100))
		var a Advert
		if err := ours.Decode(testTime, &a, p); !errors.Is(err, DropVRID) || ours.SharesAddress(&a) != tt.shares {
			t.Errorf("%s: %v, shares %v", tt.vip, err, ours.SharesAddress(&a))
		}
	}
}
