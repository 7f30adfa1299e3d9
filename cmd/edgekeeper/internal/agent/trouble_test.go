package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// quietLookout sees what a test tells it.
type quietLookout struct {
	mu       sync.Mutex
	interval time.Duration
	holding  bool
	report   func(instance.Sighting)
}

func (q *quietLookout) Run(ctx context.Context, report func(instance.Sighting)) error {
	q.mu.Lock()
	q.report = report
	q.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (q *quietLookout) Follow(holding bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.holding = holding
}

func (q *quietLookout) Quiet() time.Duration { return 300 * time.Millisecond }

func (q *quietLookout) SetInterval(d time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.interval = d
}

func (q *quietLookout) state() (holding bool, interval time.Duration, report func(instance.Sighting)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.holding, q.interval, q.report
}

// TestTrouble: an address conflict is an event, a notification and in status,
// each with the likely cause; and so is its end.
func TestTrouble(t *testing.T) {
	t.Parallel() // waits for an election
	s := newSite(t)
	s.platform = quiet(s)
	opened := make(chan *quietLookout, 1)
	s.platform.OpenLookout = func(cfg config.VRRP, _ *slog.Logger) (agent.Lookout, error) {
		q := &quietLookout{interval: cfg.ConflictProbe}
		opened <- q
		return q, nil
	}
	target := fmt.Sprintf(`
notify "exec" "troubles" {
  command = ["/bin/sh", "-c", "echo $NOTIFY_STATE, was $NOTIFY_PREVIOUS, $NOTIFY_ASPECT: $NOTIFY_REASON >>%s/troubles"]
  events  = ["trouble"]
}
`, s.dir)
	s.setup(target)
	s.start()
	look := <-opened
	s.until("master", func() bool { holding, _, _ := look.state(); return holding })
	_, interval, report := look.state()
	if interval != 10*time.Second {
		t.Errorf("probes every %s by default", interval)
	}
	report(instance.Sighting{
		Kind: instance.OtherHolder, Address: netip.MustParseAddr("192.0.2.1"), Device: "eth0", MAC: "02:00:00:00:00:09", How: "answered our probe", At: time.Now(),
	})
	const name = "address-conflict 192.0.2.1 02:00:00:00:00:09"
	s.until("the target is told of the conflict and its end", func() bool {
		l := s.lines("troubles")
		return len(l) == 2 &&
			strings.HasPrefix(l[0], "address-conflict, was , "+name+": 02:00:00:00:00:09 answered our probe for 192.0.2.1 on eth0, and we hold it; likely cause: another director still holds it") &&
			strings.HasPrefix(l[1], "healed, was address-conflict, "+name+": "+name+" lasted 0s and was seen 1 times: not seen for 300ms")
	})
	snap := s.snapshot().VRRP[0]
	if len(snap.Troubles) != 1 || snap.TroublesTotal["address-conflict"] != 1 {
		t.Fatalf("%+v", snap.Troubles)
	}
	if x := snap.Troubles[0]; x.Kind != "address-conflict" || x.Address != "192.0.2.1" || x.MAC != "02:00:00:00:00:09" || x.Cleared == nil || !strings.Contains(x.Cause, "arp_ignore") {
		t.Errorf("%+v", x)
	}
	events, err := s.client().Events(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	count := func(prefix string) (n int) {
		for _, e := range events {
			if e.Kind == "vrrp" && e.Object == "VI_1" && strings.HasPrefix(e.Text, prefix) {
				n++
			}
		}
		return n
	}
	if count(name+": ") != 1 || count("healed: "+name+" lasted 0s") != 1 {
		t.Errorf("events %+v", events)
	}

	// The interval is changed in place.
	before := s.snapshot().VRRP[0]
	s.setup(target)
	s.write("director.hcl", strings.Replace(s.read("director.hcl"), `advert_interval   = "400ms"`, "advert_interval   = \"400ms\"\n  conflict_probe = \"3s\"", 1))
	s.hup <- syscall.SIGHUP
	s.until("the interval is taken", func() bool { _, d, _ := look.state(); return d == 3*time.Second })
	if after := s.snapshot().VRRP[0]; after.State != "MASTER" || !after.Since.Equal(before.Since) {
		t.Errorf("%s since %s, was %s since %s", after.State, after.Since, before.State, before.Since)
	}
}

func (s *site) read(name string) string {
	s.t.Helper()
	return strings.Join(s.lines(name), "\n") + "\n"
}
