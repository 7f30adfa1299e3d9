//go:build priv

package interop

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

var (
	v2     = newMode(2, false, false, "none")
	v2pass = newMode(2, false, false, "pass")
	v2ah   = newMode(2, false, false, "ah")
	v3     = newMode(3, false, false, "none")
)

// TestHandoverToKeepalived: a handover to a lower priority leaves clients
// without the address for no noticeable time.
func TestHandoverToKeepalived(t *testing.T) {
	t.Parallel()
	p := newPair(t, v2pass)
	ours := p.router(t, 150)
	waitHolder(t, patience, p.a, p.vip)
	p.keepalived(t, 100, "").WaitOutput(t, "Entering BACKUP STATE", patience)
	time.Sleep(1500 * time.Millisecond) // an advert
	late := netns.MeasureLateness(t)
	ledger, begin := p.lan.Ledger(t, p.vip, p.a, p.b), time.Now()
	ours.Signal(t, syscall.SIGUSR2)
	ours.WaitOutput(t, "handover: <nil>", patience)
	waitHolder(t, patience, p.b, p.vip)
	time.Sleep(6 * time.Second) // longer than our master-down time: keepalived is left alone
	if p.a.Has(t, p.vip) || !p.b.Has(t, p.vip) {
		t.Error("the address is not on keepalived alone")
	}
	_, two, none := ledger.Judge(begin)
	t.Logf("nobody had the address for %s, both for %s", none, two)
	if busy := late.Between(begin, time.Now()); none > 200*time.Millisecond+busy {
		t.Errorf("nobody had the address for %s; the machine was late by up to %s", none, busy)
	}
}

// TestSubSecond: version 3 with adverts every 100 ms and every 10 ms, both ways.
func TestSubSecond(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{100 * time.Millisecond, 10 * time.Millisecond} {
		t.Run(interval.String(), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, v3)
			kd := p.keepalived(t, 100, fmt.Sprintf("advert_int %g", interval.Seconds()))
			waitHolder(t, patience, p.b, p.vip)
			ours := p.router(t, 150, "-interval", interval.String())
			waitHolder(t, patience, p.a, p.vip)
			waitGone(t, patience, p.b, p.vip)
			if err := ours.Stop(t, 5*time.Second); err != nil {
				t.Errorf("stop: %v", err)
			}
			waitHolder(t, patience, p.b, p.vip)
			ours = p.router(t, 50, "-interval", interval.String())
			ours.WaitOutput(t, "role BACKUP", patience)
			time.Sleep(2 * time.Second)
			// With 36 ms of patience one of the two may take over in between.
			netns.Wait(t, patience, "backup of keepalived", func() bool { return status(t, ours).State == vrrp.Backup })
			if s := status(t, ours); s.Lease != 0 || s.LeaseNote == "" {
				t.Errorf("lease %s %q, lateness %s", s.Lease, s.LeaseNote, s.Lateness.Max)
			}
			kd.Kill(t) // the kernel tells its VRRP process, which resigns
			waitHolder(t, patience, p.a, p.vip)
		})
	}
}

// TestMistakesAreNamed: what keepalived is configured differently about shows
// in our status, with its address.
func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		mode       mode
		keepalived string
		router     []string
		want       string
	}{
		{"wrong password", v2pass, "", []string{"-pass", "5526"}, "auth: authentication failed: the passwords differ"},
		{"no authentication", v2, "", []string{"-pass", "5526"}, "auth-type: authentication type none, ours is pass"},
		{"interval", v2, "advert_int 2", nil, "interval: advert interval 2s, ours is 1s"},
		{"virtual router id", v2, "virtual_router_id 52", nil, "vrid: virtual router id 52, ours is 51"},
		{"version", v2, "", []string{"-version", "3"}, "version: VRRP version 2, ours is 3"},
		{"addresses", v2, "", []string{"-vips", theVIP + "/24,192.0.2.101/24"}, "addresses: its address list is [192.0.2.100], ours is [192.0.2.100 192.0.2.101]"},
		{"authentication header there only", v2ah, "", []string{"-pass", "5525"}, "auth-type: authentication type ah, ours is pass"},
		{"authentication header here only", v2pass, "", []string{"-pass", "", "-ah", "5525"}, "auth-type: authentication type pass, ours is ah"},
		{"unicast there", v2, "unicast_peer {\n 192.0.2.1\n}", nil, "mode: the peer unicasts, we are configured for multicast"},
		{"unicast here", v2, "", []string{"-peers", "192.0.2.2"}, "mode: the peer multicasts, we are configured for unicast"},
		{"another peer", v2, "unicast_peer {\n 192.0.2.1\n}", []string{"-peers", "192.0.2.3"}, "peer: 192.0.2.2 is not in our list of unicast peers, [192.0.2.3]"},
		{"checksum form", v3, "", []string{"-plain-checksum"}, "checksum-form: its checksum has the form"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, tt.mode)
			p.keepalived(t, 100, tt.keepalived)
			waitHolder(t, patience, p.b, p.vip)
			ours := p.router(t, 50, tt.router...)
			ours.WaitOutput(t, "role BACKUP", patience)
			netns.Wait(t, patience, tt.want, func() bool {
				return slices.ContainsFunc(status(t, ours).Troubles, func(x instance.Trouble) bool {
					return strings.HasPrefix(x.Kind.String()+": "+x.Detail, tt.want) && x.Peer.String() == "192.0.2.2"
				})
			})
		})
	}
}
