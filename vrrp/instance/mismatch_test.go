package instance

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

func address(prefix string) []vrrp.Address {
	return []vrrp.Address{{Prefix: netip.MustParsePrefix(prefix)}}
}

// TestMismatches: each way in which a peer's configuration can differ from ours
// is a kind of its own, says both values, and names the cause.
func TestMismatches(t *testing.T) {
	same := func(*vrrp.Config) {}
	pass := func(secret string) func(*vrrp.Config) {
		return func(c *vrrp.Config) { c.Auth = vrrp.Auth{Type: vrrp.AuthPass, Secret: vrrp.Secret(secret)} }
	}
	ah := func(secret string) func(*vrrp.Config) {
		return func(c *vrrp.Config) { c.Auth = vrrp.Auth{Type: vrrp.AuthAH, Secret: vrrp.Secret(secret)} }
	}
	v3 := func(c *vrrp.Config) { c.Version = vrrp.V3 }
	v3with := func(more func(*vrrp.Config)) func(*vrrp.Config) {
		return func(c *vrrp.Config) { v3(c); more(c) }
	}
	unicast := func(peer string) func(*vrrp.Config) {
		return func(c *vrrp.Config) { c.Peers = []netip.Addr{netip.MustParseAddr(peer)} }
	}
	const us, them = "192.0.2.1", "192.0.2.9"
	tests := []struct {
		name       string
		ours, peer func(*vrrp.Config)
		kind       TroubleKind
		detail     string
		cause      string
	}{
		{"virtual router id", same, func(c *vrrp.Config) { c.VRID = 52 }, TroubleVRID, "virtual router id 52, ours is 51", "router ids"},
		{"interval, version 2", same, func(c *vrrp.Config) { c.Interval = 2 * time.Second }, TroubleInterval, "advert interval 2s, ours is 1s", "intervals"},
		{"interval, version 3", v3, v3with(func(c *vrrp.Config) { c.Interval = 500 * time.Millisecond }), TroubleInterval, "its advert interval is 500ms, ours is 1s", "intervals"},
		{"version", same, v3, TroubleVersion, "VRRP version 3, ours is 2", "versions"},
		{"version, the other way", v3, same, TroubleVersion, "VRRP version 2, ours is 3", "versions"},
		{"authentication here only", pass("a"), same, TroubleAuthType, "authentication type none, ours is pass", "authentication"},
		{"authentication there only", same, pass("a"), TroubleAuthType, "authentication type pass, ours is none", "authentication"},
		{"password", pass("a"), pass("b"), TroubleAuth, "authentication failed: the passwords differ", "secrets"},
		{"header's secret", ah("a"), ah("b"), TroubleAuth, "authentication failed: the integrity value is not made with our secret", "secrets"},
		{"address list", same, func(c *vrrp.Config) { c.Addresses = append(c.Addresses, address("192.0.2.101/24")...) }, TroubleAddresses,
			"its address list is [192.0.2.100 192.0.2.101], ours is [192.0.2.100]", "rolling change"},
		{"checksum form", v3, v3with(func(c *vrrp.Config) { c.Checksum = vrrp.ChecksumPlain }), TroubleChecksumForm,
			`its checksum has the form "plain", ours is "pseudo-header"`, "v3_checksum_as_v2"},
		{"multicast there, unicast here", unicast(them), same, TroubleMode, "the peer multicasts, we are configured for unicast", "unicast peers"},
		{"unicast there, multicast here", same, unicast(us), TroubleMode, "the peer unicasts, we are configured for multicast", "unicast peers"},
		{"not a peer", unicast("192.0.2.8"), unicast(us), TroublePeer, them + " is not in our list of unicast peers, [192.0.2.8]", "missing in our list"},
	}
	kinds := map[TroubleKind]bool{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var l lan
				n := start(t, &l, us, func(c *Config) { tt.ours(&c.VRRP) })
				cfg := vrrp.Config{Name: "x", VRID: 51, Addresses: address("192.0.2.100/24")}
				tt.peer(&cfg)
				codec, err := vrrp.NewCodec(cfg)
				if err != nil {
					t.Fatal(err)
				}
				peer := l.dial(them, &journal{start: time.Now()})
				to := vrrp.Group4
				if cfg.Unicast() {
					to = cfg.Peers[0]
				}
				if err := peer.Send(codec.Encode(time.Now(), peer.source, to, 50), to); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				s := n.Status().Troubles
				if len(s) != 1 {
					t.Fatalf("%+v", s)
				}
				x := s[0]
				if x.Kind != tt.kind || x.Detail != tt.detail || x.Peer != peer.source || !strings.Contains(x.Cause, tt.cause) || !x.Active() {
					t.Errorf("%s: %q, cause %q, peer %s; want %s: %q", x.Kind, x.Detail, x.Cause, x.Peer, tt.kind, tt.detail)
				}
				if strings.Contains(x.Detail, "secret)") {
					t.Error("a secret is printed")
				}
			})
		})
		kinds[tt.kind] = true
	}
	if len(kinds) != 9 {
		t.Errorf("%d kinds, want 9", len(kinds))
	}
}
