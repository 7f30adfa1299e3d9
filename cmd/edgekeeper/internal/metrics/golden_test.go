package metrics_test

import (
	"bytes"
	"context"
	"flag"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/metrics"
)

var update = flag.Bool("update", false, "rewrite the golden file and docs/metrics.md")

// eventful is an instance with something of everything.
func eventful() control.Router {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return control.Router{
		Name: "VI_1", State: "MASTER", Priority: 150, ConfigPriority: 100, MasterDownMS: 3414, AdvertIntervalMS: 1000,
		BasePriority: 155,
		Tracks:       []control.Track{{Tracker: "file x", State: "up", Weight: 1, Shift: -5}, {Tracker: "script y", State: "down", Fault: true}},
		Addresses:    []control.Address{{Prefix: netip.MustParsePrefix("192.0.2.100/24"), Present: true}},
		Sent:         70, Received: 12, Dropped: map[string]uint64{"wrong authentication data": 3},
		SendErrors: 1, HostErrors: 2, Announcements: 10, Renewals: 71, LateSteps: 1, AddressesLost: 4, RoutesLost: 5,
		LeaseSeconds: 3, LeaseUntil: new(now.Add(3 * time.Second)),
		Transitions: []control.Transition{{State: "BACKUP", Cause: "started", Count: 1}, {State: "MASTER", Cause: "silence", Count: 2}},
		Lateness: control.Histogram{
			Max: 0.004, Sum: 0.0075, Count: 6, Bounds: []float64{0.0001, 0.001, 0.005}, Buckets: []uint64{3, 2, 1, 0},
		},
		Troubles: []control.Trouble{
			{Kind: "address-conflict", Address: "192.0.2.100", MAC: "02:00:00:00:00:09"},
			{Kind: "address-conflict", Address: "192.0.2.100", MAC: "02:00:00:00:00:0a", Cleared: &now},
			{Kind: "second-master", Peer: "192.0.2.2", Cleared: &now},
		},
		TroublesTotal: map[string]uint64{"address-conflict": 5, "second-master": 9},
	}
}

// TestVRRP compares all series of an instance, its guardian and its process.
func TestVRRP(t *testing.T) {
	r := metrics.New(func(context.Context) (control.Snapshot, error) {
		return control.Snapshot{
			VRRP:     []control.Router{eventful()},
			Groups:   []control.SyncGroup{{Name: "edge", State: "MASTER"}},
			Trackers: []control.Tracker{{Name: "file x", State: "up", Value: new(-5), Changes: 3}, {Name: "script y", State: "down", Changes: 1}},
			Process: control.Process{
				RealtimeError: "not permitted", LockMemory: true, LockedBytes: 80 << 20, GCCycles: 12,
				GCPauses: control.Histogram{Max: 0.0002, Sum: 0.0005, Count: 4, Bounds: []float64{0.0001, 0.0005}, Buckets: []uint64{3, 1, 0}},
			},
			Guardian: &control.Guardian{PID: 7, Restarts: 1, Armed: []string{"VI_1"}},
		}, nil
	})
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	ours := regexp.MustCompile(`^(# (HELP|TYPE) )?edgekeeper_(vrrp|vip|guardian|tracker|gc|memory|process)_`)
	var got strings.Builder
	for line := range strings.Lines(answer.Body.String()) {
		if ours.MatchString(line) {
			got.WriteString(line)
		}
	}
	golden(t, filepath.Join("testdata", "vrrp.golden"), got.String())
}

// TestReference: docs/metrics.md has every metric.
func TestReference(t *testing.T) {
	var got bytes.Buffer
	got.WriteString("# Metrics\n\nWhat `/metrics` of the `telemetry` block serves. Everything is computed from one snapshot at the scrape, so what is gone leaves no series behind. " +
		"This page is made from the table that the program itself uses (`make docs`).\n\n")
	if err := metrics.Reference(&got); err != nil {
		t.Fatal(err)
	}
	golden(t, "../../../../docs/metrics.md", got.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-file +now); run with -update:\n%s", path, diff)
	}
}
