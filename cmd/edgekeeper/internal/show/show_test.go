package show_test

import (
	"bytes"
	"flag"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/show"
	"github.com/edgekeeper/edgekeeper/discovery"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// troubled is a director with something of everything.
func troubled() control.Snapshot {
	server := func(addr, id string, state discovery.ServerState, full int, reason string, kernel *control.KernelDest) control.PoolServer {
		return control.PoolServer{
			ServerStatus: discovery.ServerStatus{Addr: netip.MustParseAddrPort(addr), ID: id, State: state, Configured: full, Reason: reason},
			Kernel:       kernel,
		}
	}
	return control.Snapshot{
		Groups: []control.SyncGroup{{
			Name: "edge", Instances: []string{"VI_1", "VI_2"}, State: "MASTER", Since: now.Add(-time.Minute), Reason: "VI_1: no advert from anybody for 3.609 s",
			Notes: []string{"it has one member only"},
		}},
		Trackers: []control.Tracker{
			{Name: "file maintenance", State: "up", Value: new(-10), Since: now.Add(-time.Hour), Reason: "the file holds -10"},
			{Name: "interface eth1", State: "up", Since: now.Add(-time.Minute), Reason: "interface eth1 is up"},
			{Name: "script nginx", State: "down", Since: now.Add(-2 * time.Second), Reason: "exit code 22", Output: "curl: (22) 503\nmore"},
			{Name: "script other", State: "down", Since: now, Reason: "exit code 1", UsedBy: []string{"VI_9"}},
		},
		Version: "1.0.0", RouterID: "lvs1", Started: now.Add(-90 * time.Second), At: now,
		Config: control.ConfigStatus{Path: "/etc/edgekeeper.d", Refused: "director.hcl:3:1: no"},
		VRRP: []control.Router{{
			Name: "VI_1", State: "MASTER", Since: now.Add(-time.Minute), Priority: 200, PriorityFrom: "kv priority/VI_1/lvs1",
			Reason: "no advert from anybody for 3.609 s", Lease: "3s", Master: "61.139.2.2", MasterPriority: 200,
			BasePriority: 210,
			Tracks: []control.Track{
				{Tracker: "script nginx", State: "down", Fault: true},
				{Tracker: "file maintenance", State: "up", Weight: 1, Shift: -10},
				{Tracker: "interface eth1", State: "up", Weight: -20},
			},
			Addresses: []control.Address{
				{Prefix: netip.MustParsePrefix("61.139.2.1/29"), Device: "eth0", Label: "eth0:0", Present: true},
				{Prefix: netip.MustParsePrefix("192.168.200.16/24"), Device: "eth1"},
				{Prefix: netip.MustParsePrefix("61.139.2.9/29"), Device: "vrrp.51", Present: true},
			},
			NoAccept: true, VMACs: []control.VMAC{{Name: "vrrp.51", Device: "eth0", MAC: "00:00:5e:00:01:33", Adverts: true}},
			Peers: &control.Peers{From: "consul service edge-directors", Problem: "500 no leader", Addresses: []netip.Addr{
				netip.MustParseAddr("61.139.2.2"), netip.MustParseAddr("61.139.2.3"),
			}},
			Authentication: &control.Authentication{Mode: "permissive", ActiveKey: 2, Keys: []int{1, 2}, Signed: 1200, Unsigned: 3},
			Troubles: []control.Trouble{
				{Kind: "address-conflict", Address: "61.139.2.1", MAC: "02:00:00:00:00:09", Detail: "02:00:00:00:00:09 answered our probe", Cause: "a real server answers ARP",
					Count: 2, First: now.Add(-20 * time.Second), Last: now.Add(-15 * time.Second), Cleared: new(now.Add(-5 * time.Second)), Healed: "not seen for 10s"},
				{Kind: "auth", Peer: "61.139.2.3", Detail: "authentication failed: the passwords differ", Cause: "the secrets differ",
					Count: 7, First: now.Add(-7 * time.Second), Last: now.Add(-time.Second)},
			},
		}},
		Pools: []control.Pool{{
			Name: "web", Service: "tcp 61.139.2.1:80", Scheduler: "wrr", Forward: "dr", Held: "3 of 5 would go", Stale: true,
			Kernel: &control.KernelService{Active: 12, Inactive: 6, Connections: 2400, InPackets: 18000, InBytes: 223456789012,
				Rates: control.Rates{Connections: 7, InPackets: 60, InBytes: 70000}},
			Servers: []control.PoolServer{
				server("61.139.2.4:80", "web-1", discovery.Serving, 3, "tcp check: connected", &control.KernelDest{Weight: 3, Active: 12, Inactive: 4,
					Connections: 1200, InPackets: 9000, OutPackets: 0, InBytes: 123456789012, OutBytes: 0, Rates: control.Rates{Connections: 7, InPackets: 60, InBytes: 70000}}),
				server("61.139.2.5:80", "web-2", discovery.Failed, 1, "tcp check: connection refused", &control.KernelDest{Inactive: 2}),
				server("61.139.2.6:80", "", discovery.Entering, 1, "tcp check has not answered yet", nil),
			},
		}, {
			Name: "api", Service: "tcp 61.139.2.1:81", Scheduler: "wlc", Forward: "nat", QuorumLost: true, Answers: discovery.TheFallback,
			Kernel:  &control.KernelService{Active: 3},
			Servers: []control.PoolServer{server("61.139.2.4:81", "api-1", discovery.Failed, 1, "critical: port closed", &control.KernelDest{Active: 1})},
			Fallback: &control.Fallback{Name: "dc2", Servers: []control.PoolServer{
				server("198.51.100.9:81", "api-7", discovery.Serving, 5, "passing", &control.KernelDest{Weight: 5, Active: 2}),
			}},
			Sorry: new(server("61.139.2.250:81", "", discovery.Standby, 1, "stands by; not checked", nil)),
		}, {
			Name: "media", Service: "fwmark 65601 inet", Addresses: []string{"udp 61.139.2.1-61.139.2.9:5060", "udp 61.139.2.1:10000-20000"}, Mark: 65601,
			Scheduler: "rr", Forward: "dr", Persistence: 60, Engine: "sip", Kernel: &control.KernelService{},
			Servers: []control.PoolServer{server("61.139.2.4:0", "sip-1", discovery.Serving, 1, "tcp check: connected", &control.KernelDest{Weight: 1})},
		}},
		Process: control.Process{RealtimePriority: 50, RealtimeError: "set realtime priority 50: not permitted", LockMemory: true, LockedBytes: 80 << 20,
			GCCycles: 12, GCPauses: control.Histogram{Max: 0.000123}},
		Guardian: &control.Guardian{PID: 4711, Restarts: 1, Armed: []string{"VI_1"}, Error: "VI_2: can take addresses off, but not send priority 0: no such interface"},
		IPVS: control.IPVS{InSync: true, Ops: map[string]uint64{"add-dest": 2, "set-dest": 1}, Drift: 1, LastDrift: "add tcp 61.139.2.1:80", Adopted: control.Adopted{Services: 1, Servers: 2}, Timeouts: &control.Timeouts{TCP: 900, TCPFin: 120, UDP: 300},
			Sync: &control.Sync{State: "off", Instance: "VI_1", Interface: "eth1", ID: 51, Group: netip.MustParseAddr("224.0.0.81"), Port: 8848, Error: "start master daemon: there is no interface eth1"}},
		Sources: []control.SourceStatus{{Source: "consul", Query: "consul service web", Error: "403 ACL denied"}},
		Notify: []control.NotifyTarget{
			{Name: `exec "firewall"`, Delivered: 12},
			{Name: `webhook "chat"`, Delivered: 3, Failed: 2, Queued: 1, Failing: true, LastError: "post event: 503 Service Unavailable\nlater", ErrorAt: new(now.Add(-4 * time.Second))},
		},
		KV: control.KVStatus{Where: "consul edgekeeper/", Keys: 1, Kept: []string{"drain/node/n7", "weight/web/web-2"}, Rejected: []string{`weight/web/web-1 = "banana" refused: …`}},
	}
}

func TestGolden(t *testing.T) {
	s := troubled()
	cases := map[string]func(io.Writer) error{
		"status": func(w io.Writer) error { return show.Status(w, s) },
		"pools":  func(w io.Writer) error { return show.Pools(w, s) },
		"stats":  func(w io.Writer) error { return show.Counters(w, s) },
		"rates":  func(w io.Writer) error { return show.Rates(w, s) },
		"vrrp":   func(w io.Writer) error { return show.VRRP(w, s) },
		"connections": func(w io.Writer) error {
			return show.Connections(w, []control.Connection{{
				Protocol: "tcp", Client: netip.MustParseAddrPort("61.139.2.6:40000"), Virtual: netip.MustParseAddrPort("61.139.2.1:80"),
				Server: netip.MustParseAddrPort("61.139.2.4:80"), State: "ESTABLISHED", Expires: 899,
			}})
		},
		"events": func(w io.Writer) error {
			return show.Events(w, []control.Event{{Seq: 1, At: now, Kind: "vrrp", Object: "VI_1", Text: "MASTER, was BACKUP: no advert"}})
		},
		"handover": func(w io.Writer) error {
			return show.Handovers(w, []control.Handover{{Instance: "VI_1", To: "61.139.2.3", Seconds: 0.65}})
		},
	}
	for name, render := range cases {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := render(&got); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNothingToNote(t *testing.T) {
	if notes := show.Notes(control.Snapshot{IPVS: control.IPVS{InSync: true}}); len(notes) > 0 {
		t.Errorf("notes of a sound director: %q", notes)
	}
}
