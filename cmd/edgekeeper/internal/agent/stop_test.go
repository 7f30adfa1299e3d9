package agent_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
)

// every is each virtual router that one interface can have.
const every = 255

func many() string {
	var b strings.Builder
	for i := 1; i <= every; i++ {
		fmt.Fprintf(&b, "vrrp \"V%d\" {\n interface = \"eth0\"\n virtual_router_id = %d\n version = 3\n advert_interval = \"1s\"\n virtual_address \"10.0.%d.1/24\" {}\n}\n", i, i, i)
	}
	return b.String()
}

// meetingHost is a host that takes addresses off when all others do too, once
// that is agreed.
type meetingHost struct {
	quietHost
	agreed *atomic.Bool
	once   sync.Once
	here   *sync.WaitGroup // less one for each that is
	all    <-chan struct{} // closed then
}

func (h *meetingHost) Remove() error {
	if h.agreed.Load() {
		h.once.Do(func() {
			h.here.Done()
			<-h.all
		})
	}
	return h.quietHost.Remove()
}

// TestStopIsNotSerial: all virtual routers of a director that stops take their
// addresses off at the same time. Each waits here until every other one does.
//
// Not beside other tests: so many routers make those late that wait for elections.
func TestStopIsNotSerial(t *testing.T) {
	s := newSite(t)
	var agreed atomic.Bool
	var here sync.WaitGroup
	here.Add(every)
	met, all := make(chan struct{}), make(chan struct{})
	s.platform = quiet(s)
	s.platform.OpenHost = func(config.VRRP, string, *slog.Logger) (agent.Host, error) {
		return &meetingHost{agreed: &agreed, here: &here, all: all}, nil
	}
	s.write("director.hcl", fmt.Sprintf(base, s.dir, "release", 80, `real_server "10.0.0.1:80" {}`)+many())
	s.start()
	s.until("all routers run", func() bool {
		running := 0
		for _, r := range s.snapshot().VRRP {
			if r.State == "BACKUP" || r.State == "MASTER" {
				running++
			}
		}
		return running == every
	})
	agreed.Store(true)
	go func() { here.Wait(); close(met) }()
	go func() {
		defer close(all)
		select {
		case <-met:
		case <-time.After(20 * time.Second):
			t.Error("some routers wait with their addresses until others have taken theirs off")
		}
	}()
	s.stop()
	<-met
}

// TestStopDuringTheStart: a director that is told to stop while it starts does
// not start the rest of its routers first, and that is no error.
func TestStopDuringTheStart(t *testing.T) {
	s := newSite(t)
	const first = 5
	var opened, closed atomic.Int32
	stop := make(chan struct{})
	s.platform = quiet(s)
	s.platform.OpenHost = func(config.VRRP, string, *slog.Logger) (agent.Host, error) {
		switch n := opened.Add(1); {
		case n == first:
			close(stop)
		case n > first:
			time.Sleep(20 * time.Millisecond)
		}
		return &closing{n: &closed}, nil
	}
	s.write("director.hcl", fmt.Sprintf(base, s.dir, "release", 80, `real_server "10.0.0.1:80" {}`)+many())
	ready := make(chan struct{})
	go func() {
		<-stop
		<-ready
		s.cancel()
	}()
	s.run()
	close(ready)
	if err := <-s.done; err != nil {
		t.Errorf("director: %v", err)
	}
	s.cancel = nil
	if n := opened.Load(); n > every/2 || n < first || n != closed.Load() {
		t.Errorf("%d routers of %d were opened and %d closed", n, every, closed.Load())
	}
}

type closing struct {
	quietHost
	n *atomic.Int32
}

func (c *closing) Close() error {
	c.n.Add(1)
	return nil
}
