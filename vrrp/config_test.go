package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fields lists the field names in an error of Validate.
func fields(err error) (names []string) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, e := range joined.Unwrap() {
		f, ok := errors.AsType[*FieldError](e)
		if !ok {
			return []string{fmt.Sprintf("not a FieldError: %v", e)}
		}
		names = append(names, f.Field)
	}
	return names
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"captures", func(*Config) {}, nil},
		{"no id", func(c *Config) { c.VRID = 0 }, []string{"VRID"}},
		{"version", func(c *Config) { c.Version = 4 }, []string{"Version"}},
		{"version 2 below a second", func(c *Config) { c.Interval = 100 * time.Millisecond }, []string{"Interval"}},
		{"version 3 below a second", func(c *Config) { c.Version = V3; c.Interval = 10 * time.Millisecond }, nil},
		{"version 3 too fine", func(c *Config) { c.Version = V3; c.Interval = 15 * time.Millisecond }, []string{"Interval"}},
		{"version 3 too long", func(c *Config) { c.Version = V3; c.Interval = 41 * time.Second }, []string{"Interval"}},
		{"multiplier", func(c *Config) { c.DownMultiplier = 101 }, []string{"DownMultiplier"}},
		{"preempt delay", func(c *Config) { c.PreemptDelay = 1001 * time.Second }, []string{"PreemptDelay"}},
		{"preempt contradiction", func(c *Config) { c.PreemptDelay = 1; c.NoPreempt = true }, []string{"PreemptDelay"}},
		{"lease of half a second", func(c *Config) { c.Lease = 500 * time.Millisecond }, []string{"Lease"}},
		{"lease no longer than the interval", func(c *Config) { c.Lease = time.Second }, []string{"Lease"}},
		{"no lease", func(c *Config) { c.Lease = LeaseOff }, nil},
		{"no address", func(c *Config) { c.Addresses = nil }, []string{"Addresses"}},
		{"bad addresses", func(c *Config) {
			c.Addresses = append(c.Addresses,
				Address{}, Address{Prefix: prefix("224.0.0.5/24")}, Address{Prefix: prefix("2001:db8::1/64")},
				Address{Prefix: prefix("192.0.2.100/32")}, Address{Prefix: prefix("192.0.2.101/32"), Label: "a-label-of-16-by"})
		}, []string{"Addresses[1]", "Addresses[2]", "Addresses[3]", "Addresses[4]", "Addresses[5]"}},
		{"excluded of the other family", func(c *Config) { c.Excluded = []Address{{Prefix: prefix("2001:db8::1/64")}} }, nil},
		{"excluded twice", func(c *Config) { c.Excluded = c.Addresses }, []string{"Excluded[0]"}},
		{"too many IPv6 addresses", func(c *Config) {
			c.Addresses = nil
			for i := range 92 {
				c.Addresses = append(c.Addresses, Address{Prefix: netip.PrefixFrom(addr(fmt.Sprintf("2001:db8::%x", i+1)), 64)})
			}
		}, []string{"Addresses"}},
		{"secret too long", func(c *Config) { c.Auth = Auth{AuthPass, "123456789"} }, []string{"Auth.Secret"}},
		{"secret without type", func(c *Config) { c.Auth = Auth{Secret: "x"} }, []string{"Auth.Secret"}},
		{"type without secret", func(c *Config) { c.Auth = Auth{Type: AuthAH} }, []string{"Auth.Secret"}},
		{"password in version 3", func(c *Config) { c.Version = V3; c.Auth = Auth{AuthPass, "x"} }, []string{"Auth.Type"}},
		{"peers", func(c *Config) {
			c.Peers = []netip.Addr{addr("192.0.2.2"), addr("192.0.2.2"), addr("fe80::1"), Group4}
		}, []string{"Peers[1]", "Peers[2]", "Peers[3]"}},
		{"announcements", func(c *Config) { c.Announce.Repeat = 61; c.Announce.Refresh = 1 }, []string{"Announce.Repeat", "Announce.LowerRepeat", "Announce.Refresh"}},
		{"everything at once", func(c *Config) { *c = Config{Version: 9, DownMultiplier: -1} }, []string{"VRID", "Version", "DownMultiplier", "Addresses"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := captureConfig()
			tt.change(&c)
			err := c.WithDefaults().Validate()
			if diff := cmp.Diff(tt.want, fields(err)); diff != "" {
				t.Errorf("(-want +got)\n%s\n%v", diff, err)
			}
		})
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	c := captureConfig()
	c.Auth = Auth{AuthPass, "5525"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(format, c); strings.Contains(s, "5525") {
			t.Errorf("%s prints the secret: %s", format, s)
		}
	}
}

func TestLeaseAuto(t *testing.T) {
	tests := []struct {
		name       string
		version    Version
		interval   time.Duration
		multiplier int
		priority   uint8
		want       time.Duration
	}{
		{"the default", V2, time.Second, 3, 100, 3 * time.Second}, // 3.54 s at worst, takeover 3.609 s
		{"version 3", V3, time.Second, 3, 100, 3 * time.Second},
		{"a high priority takes over earlier", V2, time.Second, 3, 200, 2 * time.Second}, // 3.54 > 3.218
		{"two intervals", V2, time.Second, 2, 100, 2 * time.Second},
		{"one interval: none outlasts it", V2, time.Second, 1, 100, 0},
		{"long interval", V2, 10 * time.Second, 3, 100, 28 * time.Second}, // 30.54 < 30.609
		{"300 ms: a second would end too late", V3, 300 * time.Millisecond, 3, 100, 0},
		{"half a second", V3, 500 * time.Millisecond, 3, 100, time.Second}, // 1.38 < 1.804
		{"10 ms", V3, 10 * time.Millisecond, 3, 100, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := captureConfig()
			c.Version, c.Interval, c.DownMultiplier, c.Priority = tt.version, tt.interval, tt.multiplier, tt.priority
			got, ok := LeaseAuto(c)
			if !ok {
				got = 0
			}
			if got != tt.want {
				t.Errorf("LeaseAuto = %s, want %s (takeover after %s)", got, tt.want, tt.version.MasterDown(tt.interval, tt.multiplier, tt.priority))
			}
			if c.LeaseTime() != got {
				t.Errorf("LeaseTime = %s, want %s", c.LeaseTime(), got)
			}
		})
	}
}

// TestLeaseAutoIsLongest: the definition, for every configuration.
func TestLeaseAutoIsLongest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genConfig(t)
		takeover := c.Version.MasterDown(c.Interval, c.DownMultiplier, c.Priority)
		lease, ok := LeaseAuto(c)
		if !ok {
			for l := time.Second; l < takeover; l += time.Second {
				if LeaseEnd(l) < takeover && l >= c.Interval*5/4 {
					t.Fatalf("none found, but %s fits before %s", l, takeover)
				}
			}
			return
		}
		if LeaseEnd(lease) >= takeover || lease < c.Interval*5/4 || lease%time.Second != 0 {
			t.Fatalf("%s does not fit between %s and %s", lease, c.Interval, takeover)
		}
		if LeaseEnd(lease+time.Second) < takeover {
			t.Fatalf("%s is not the longest before %s", lease, takeover)
		}
	})
}

func TestEnumsHaveNames(t *testing.T) {
	for d := range Drops {
		if s := Drop(d).String(); strings.Contains(s, "unknown") || s == "" {
			t.Errorf("Drop(%d) has no name", d)
		}
	}
	for c := CauseNone; c <= CauseGroup; c++ {
		if c.String() == "unknown" {
			t.Errorf("Cause(%d) has no name", c)
		}
	}
	if Drop(Drops).String() != "unknown drop reason" || (CauseGroup+1).String() != "unknown" {
		t.Error("a value was added without a name, or is not the last")
	}
}
