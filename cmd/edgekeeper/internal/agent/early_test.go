package agent_test

import (
	"context"
	"testing"
)

// TestStopBeforeTheFirstTable: a director that is stopped while it waits for its
// sources releases what an earlier run has left.
func TestStopBeforeTheFirstTable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config("keep", `real_server "10.0.0.1:80" {}`)
	s.start()
	services := func() int {
		have, err := s.kernel.Table(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return len(have.Table)
	}
	s.until("the table is there", func() bool { return services() == 1 })
	s.stop()
	if services() != 1 {
		t.Fatal("on_stop = \"keep\" has removed the virtual server")
	}
	// A Consul that never answers keeps the first table waiting.
	s.config("release", `service "web" {}
}
consul {
  address = "127.0.0.1:1"
`)
	s.start()
	s.stop()
	if n := services(); n != 0 {
		t.Errorf("%d virtual servers are left", n)
	}
}
