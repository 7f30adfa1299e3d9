package config

import (
	"crypto/tls"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// TestCheckOptions: what is written arrives, and what is not has the default of
// the table.
func TestCheckOptions(t *testing.T) {
	cfg, err := Load("testdata/good/full.hcl", environment)
	if err != nil {
		t.Fatal(err)
	}
	var codes discovery.StatusSet
	codes.Add(200, 204)
	codes.Add(301, 301)
	var plain discovery.StatusSet
	plain.Add(200, 299)
	want := []discovery.CheckSpec{
		{
			Type: discovery.HTTP, Interval: 10 * time.Second, Timeout: 4 * time.Second, Retries: 5, RetryDelay: 500 * time.Millisecond, Rise: 3, Port: 8080,
			Jitter: time.Second, Initial: discovery.Up, Addr: netip.MustParseAddr("192.0.2.77"), Source: netip.MustParseAddr("192.0.2.78"), Mark: 1<<32 - 1,
			HTTP: discovery.HTTPSpec{
				Version2: true, Method: "POST", Path: "/health?full=1", Host: "www.example.com", RequestBody: "{\n  \"deep\": true\n}",
				Headers: discovery.MakeList([]string{"Content-Type: application/json", "X-A: 1"}), Status: codes, Body: "^ok", BodyNot: "maintenance",
				Digest: "5d41402abc4b2a76b9719d911017c592",
			},
		},
		{
			Type: discovery.TCP, Interval: 5 * time.Second, Timeout: 2 * time.Second, Retries: 2, RetryDelay: time.Second, Rise: 1,
			Payload: discovery.PayloadSpec{Send: "PING\r\n", Expect: "^\\+PONG\r\n", ExpectHex: "2bxx"},
			TLS:     discovery.TLSSpec{Enabled: true, MinVersion: tls.VersionTLS13, CAFile: "/etc/ca.pem", CertFile: "/etc/cert.pem", KeyFile: "/etc/key.pem", Warn: 336 * time.Hour},
		},
		{
			Type: discovery.HTTP, Interval: 5 * time.Second, Timeout: 2 * time.Second, Retries: 2, RetryDelay: time.Second, Rise: 1,
			HTTP: discovery.HTTPSpec{Method: "GET", Path: "/", Status: plain},
			TLS:  discovery.TLSSpec{Enabled: true, SkipVerify: true, ServerName: "www.example.com", MinVersion: tls.VersionTLS12},
		},
	}
	usual := discovery.CheckSpec{Interval: 5 * time.Second, Timeout: 2 * time.Second, Retries: 2, RetryDelay: time.Second, Rise: 1}
	secured := discovery.TLSSpec{Enabled: true, MinVersion: tls.VersionTLS12}
	of := func(kind discovery.CheckType, edit func(*discovery.CheckSpec)) discovery.CheckSpec {
		s := usual
		s.Type = kind
		if edit != nil {
			edit(&s)
		}
		return s
	}
	redis := func(user, password string) discovery.CheckSpec {
		return of(discovery.Redis, func(s *discovery.CheckSpec) {
			s.Login = discovery.LoginSpec{User: user, Password: discovery.MakePassword(password)}
		})
	}
	protocols := []discovery.CheckSpec{
		of(discovery.TCP, nil),
		of(discovery.TCP, func(s *discovery.CheckSpec) { s.Payload.Send = "\x00\x01" }),
		of(discovery.GRPC, func(s *discovery.CheckSpec) {
			s.GRPC, s.TLS = discovery.GRPCSpec{Service: "shop.Cart", Host: "cart.example.com"}, secured
		}),
		of(discovery.DNS, func(s *discovery.CheckSpec) {
			s.DNS = discovery.DNSSpec{Name: "www.example.com.", Type: 28, TCP: true, Answer: "^AAAA 2001:db8::"}
		}),
		of(discovery.SMTP, func(s *discovery.CheckSpec) { s.Helo, s.TLS = "lvs1.example.com", secured }),
		of(discovery.UDP, func(s *discovery.CheckSpec) { s.Payload.Send, s.Payload.Expect = "ping", "pong" }),
		of(discovery.ICMP, nil),
		redis("probe", "s3cret"), redis("", "pw"), redis("", "1111"),
		of(discovery.Postgres, func(s *discovery.CheckSpec) { s.Login.User, s.Login.Database = "probe", "shop" }),
		of(discovery.MySQL, func(s *discovery.CheckSpec) { s.Login.User = "edgekeeper" }),
		of(discovery.Exec, func(s *discovery.CheckSpec) {
			s.Exec = discovery.ExecSpec{
				Command: discovery.MakeList([]string{"/usr/local/bin/load", "-v"}), User: "nobody", Env: discovery.MakeList([]string{"A=1", "B=2"}), Dynamic: true,
			}
		}),
		of(discovery.NumberFile, func(s *discovery.CheckSpec) {
			s.File = discovery.FileSpec{Path: "/run/weight-{address}", Missing: 1, Weight: -10}
		}),
	}
	found := map[string][]discovery.CheckSpec{}
	for _, s := range cfg.VirtualServers {
		found[s.Name] = s.Checks
	}
	for name, want := range map[string][]discovery.CheckSpec{"web": want, "dns": protocols} {
		if diff := cmp.Diff(want, found[name], cmpopts.EquateComparable(netip.Addr{}, discovery.List{}, discovery.Password{})); diff != "" {
			t.Errorf("checks of %s (-want +got):\n%s", name, diff)
		}
	}
}
