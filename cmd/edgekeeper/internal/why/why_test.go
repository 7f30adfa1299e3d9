package why_test

import (
	"bytes"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/why"
	"github.com/edgekeeper/edgekeeper/discovery"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// director is one with something of everything to explain.
func director() control.Snapshot {
	return control.Snapshot{
		At: now, Config: control.ConfigStatus{Path: "/etc/edgekeeper.d"},
		Groups:   []control.SyncGroup{{Name: "edge", Instances: []string{"VI_1"}, State: "MASTER", Since: ago(time.Minute), Reason: "VI_1: no advert from anybody for 3.609 s", Notes: []string{"it has one member only"}}},
		Trackers: []control.Tracker{{Name: "script nginx", State: "down", Since: ago(2 * time.Second), Reason: "exit code 22"}},
		VRRP: []control.Router{{
			Name: "VI_1", Group: "edge", State: "MASTER", Since: ago(time.Minute), Reason: "no advert from anybody for 3.609 s",
			Priority: 180, BasePriority: 200, ConfigPriority: 100, PriorityFrom: "kv priority/VI_1/lvs1", AdvertIntervalMS: 1000,
			Tracks:    []control.Track{{Tracker: "script nginx", State: "down", Weight: -20, Shift: -20}},
			Addresses: []control.Address{{Prefix: netip.MustParsePrefix("61.139.2.1/29"), Present: true}},
			Troubles:  []control.Trouble{{Kind: "auth", Detail: "authentication failed: the passwords differ", Cause: "the secrets differ", Count: 7, Last: ago(time.Second)}},
		}, {
			Name: "VI_2", State: "BACKUP", Since: ago(time.Hour), Reason: "priority 200 of 10.0.0.2 is higher than our 100",
			Priority: 100, BasePriority: 100, ConfigPriority: 100, PriorityFrom: "config", Master: "10.0.0.2", MasterPriority: 200, MasterDownMS: 3609,
		}},
		Sources: []control.SourceStatus{{Source: "consul", Query: "consul service web filter x", Answered: new(ago(4 * time.Second)), Index: 88}, {Source: "consul", Query: "consul service webshop", Error: "500"}},
		Pools: []control.Pool{{
			Name: "web", Service: "tcp 61.139.2.1:80", Held: "2 of 3 would go on the word of the catalog alone",
			Servers: []control.PoolServer{
				{ServerStatus: discovery.ServerStatus{
					Addr: netip.MustParseAddrPort("61.139.2.4:80"), ID: "web-1", Node: "n1", Service: "web", Source: "consul", State: discovery.Drained,
					Reason: "drained by drain/web/web-1: kernel update", Configured: 3, WeightFrom: "service meta edgekeeper_weight", Catalog: "passing",
					Checks: []discovery.CheckStatus{{Type: "tcp", Target: "61.139.2.4:80", Health: discovery.Up, Reason: "connected"}},
				}, Kernel: &control.KernelDest{Active: 12}},
				{ServerStatus: discovery.ServerStatus{
					Addr: netip.MustParseAddrPort("61.139.2.5:80"), Source: "static", State: discovery.Serving, Weight: 1, Configured: 1, WeightFrom: "config", Reason: "no check is configured",
				}, Kernel: &control.KernelDest{Weight: 1, Active: 3}},
			},
		}, {
			Name: "api", Service: "tcp 61.139.2.1:8080",
			Servers: []control.PoolServer{{ServerStatus: discovery.ServerStatus{
				Addr: netip.MustParseAddrPort("61.139.2.6:8080"), ID: "api-1", Node: "n6", Service: "api", Source: "consul", State: discovery.Failed,
				Reason: "http check: status 503", Configured: 1, WeightFrom: "catalog", Catalog: "passing",
				Checks: []discovery.CheckStatus{{Type: "http", Target: "61.139.2.6:8080", Health: discovery.Down, Reason: "status 503"}},
			}, Kernel: &control.KernelDest{}}},
		}},
		IPVS: control.IPVS{Draining: []control.Draining{{Service: "tcp 61.139.2.1:80", Server: "61.139.2.4:80", Since: ago(20 * time.Second), Until: now.Add(40 * time.Second)}}},
	}
}

var events = []control.Event{
	{Seq: 1, At: ago(time.Hour), Kind: "server", Object: "web 61.139.2.4:80", Text: "serving with weight 3: passing"},
	{Seq: 2, At: ago(20 * time.Second), Kind: "server", Object: "web 61.139.2.4:80", Text: "drained with weight 0: drained by drain/web/web-1: kernel update"},
	{Seq: 3, At: ago(time.Minute), Kind: "vrrp", Object: "VI_1", Text: "MASTER, was BACKUP: no advert from anybody for 3.609 s"},
	{Seq: 4, At: ago(time.Second), Kind: "held", Object: "web", Text: "HELD: 2 of 3 would go"},
}

func TestExplanations(t *testing.T) {
	for name, file := range map[string]string{"web-1": "server", "61.139.2.5": "static", "web": "pool", "VI_1": "instance", "VI_2": "backup", "edge": "group", "api-1": "failed", "web/n1": "server"} {
		t.Run(name, func(t *testing.T) {
			list, err := why.Explain(director(), events, name)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := why.Write(&got, list); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", file+".txt")
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

// TestUnknownObject: a name that nothing has is an error that lists those that
// there are; so is a real server of another pool.
func TestUnknownObject(t *testing.T) {
	for _, name := range []string{"wbe", "", "other/web-1", "web/"} {
		if list, err := why.Explain(director(), nil, name); !errors.Is(err, why.ErrUnknown) || list != nil {
			t.Errorf("%q: %v, %v", name, list, err)
		}
	}
}
