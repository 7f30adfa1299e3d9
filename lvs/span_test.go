package lvs_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/edgekeeper/edgekeeper/lvs"
	"pgregory.net/rapid"
)

func TestParseSpan(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"192.0.2.1:80", "192.0.2.1:80"},
		{"192.0.2.1:0", "192.0.2.1:0"},
		{"192.0.2.1:8000-8099", "192.0.2.1:8000-8099"},
		{"192.0.2.1-10:80", "192.0.2.1-192.0.2.10:80"},
		{"192.0.2.250-192.0.3.10:80-81", "192.0.2.250-192.0.3.10:80-81"},
		{"192.0.2.8/29:443", "192.0.2.8-192.0.2.15:443"},
		{"192.0.2.8/32:443", "192.0.2.8:443"},
		{"192.0.2.5-5:443-443", "192.0.2.5:443"},
		{"[2001:db8::1]:80", "[2001:db8::1]:80"},
		{"[2001:db8::1-ff]:80-90", "[2001:db8::1-2001:db8::ff]:80-90"},
		{"[2001:db8::1-2001:db8:1::]:80", "[2001:db8::1-2001:db8:1::]:80"},
		{"[2001:db8::/125]:0", "[2001:db8::-2001:db8::7]:0"},
	} {
		s, err := lvs.ParseSpan(tt.text)
		if err != nil || s.String() != tt.want {
			t.Errorf("%q: %q, %v, want %q", tt.text, s, err, tt.want)
		}
		if again, err := lvs.ParseSpan(tt.want); err != nil || again != s {
			t.Errorf("%q reads as %q, %v", tt.want, again, err)
		}
	}
	for _, text := range []string{
		"", "192.0.2.1", "192.0.2.1:", "web:80", "192.0.2.1:http", "192.0.2.1:65536", "192.0.2.1:90-80", "192.0.2.1:0-80",
		"192.0.2.10-1:80", "192.0.2.1-256:80", "192.0.2.1-:80", "192.0.2.1/29:80", "192.0.2.0/33:80", "192.0.2.1-2001:db8::1:80",
		"2001:db8::1:80", "[192.0.2.1]:80", "[2001:db8::1:80", "[2001:db8::1]", "[2001:db8::ff-1]:80", "[192.0.2.1-2001:db8::1]:80",
	} {
		if s, err := lvs.ParseSpan(text); !errors.Is(err, lvs.ErrBadSpan) {
			t.Errorf("%q reads as %q, %v", text, s, err)
		}
	}
}

// genSpan makes spans in a small world, so that they meet.
func genSpan(t *rapid.T, name string) lvs.Span {
	first := rapid.IntRange(0, 6).Draw(t, name+" first")
	last := rapid.IntRange(first, 7).Draw(t, name+" last")
	port := rapid.Uint16Range(0, 4).Draw(t, name+" port")
	end := port
	if port > 0 {
		end = rapid.Uint16Range(port, 5).Draw(t, name+" end")
	}
	a := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i)) }
	if rapid.Bool().Draw(t, name+" IPv6") {
		a = func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i)) }
	}
	return lvs.Span{First: a(first), Last: a(last), FirstPort: port, LastPort: end}
}

// Overlaps agrees with Contains asked for every address and port.
func TestSpanOverlaps(t *testing.T) {
	var world []netip.AddrPort
	for i := range 8 {
		for port := range uint16(7) {
			for _, a := range []string{"192.0.2.", "2001:db8::"} {
				world = append(world, netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprint(a, i)), port))
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := genSpan(t, "a"), genSpan(t, "b")
		common := false
		for _, x := range world {
			common = common || a.Contains(x) && b.Contains(x)
		}
		if a.Overlaps(b) != common || b.Overlaps(a) != common {
			t.Fatalf("%s and %s: overlaps %v, have an address in common %v", a, b, a.Overlaps(b), common)
		}
		if back, err := lvs.ParseSpan(a.String()); err != nil || back != a {
			t.Fatalf("%s reads as %s, %v", a, back, err)
		}
		if (a.Compare(b) == 0) != (a == b) || a.Compare(b) != -b.Compare(a) {
			t.Fatalf("%s and %s compare as %d, %d", a, b, a.Compare(b), b.Compare(a))
		}
	})
}

// The marks of names never change: two directors of different versions must
// agree on them, and a restart must find its own.
func TestMarkOf(t *testing.T) {
	for name, want := range map[string]uint32{"web": 66551, "sip": 78752, "": 72127} {
		if got := lvs.MarkOf(lvs.MarkBase, name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
	seen := map[uint32]bool{}
	for i := range 20000 {
		m := lvs.MarkOf(1000, fmt.Sprintf("group-%d", i))
		if m < 1000 || m >= 1000+lvs.Marks {
			t.Fatalf("mark %d", m)
		}
		seen[m] = true
	}
	if len(seen) < lvs.Marks/2 {
		t.Errorf("20000 names share %d marks", len(seen))
	}
}

func FuzzParseSpan(f *testing.F) {
	for _, s := range []string{"192.0.2.1:80", "192.0.2.1-10:80-90", "192.0.2.0/24:0", "[2001:db8::1-ff]:80", "[2001:db8::/64]:1-2", "[::]-:", "1.2.3.4-:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := lvs.ParseSpan(text)
		if err != nil {
			return
		}
		if back, err := lvs.ParseSpan(s.String()); err != nil || back != s {
			t.Errorf("%q reads as %s, which reads as %s, %v", text, s, back, err)
		}
	})
}
