package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/discovery"
)

func TestCheckNews(t *testing.T) {
	up := discovery.Verdict{Health: discovery.Up, Reason: "ok"}
	warned, blocked := up, up
	warned.Warning = "certificate expires 2026-12-01T00:00:00Z"
	blocked.Blocked = "set mark 7: operation not permitted"
	down := discovery.Verdict{Health: discovery.Down, Reason: "connection refused"}
	other := discovery.Verdict{Health: discovery.Down, Reason: "timeout after 2s"}
	for _, c := range []struct {
		was, now discovery.Verdict
		want     []string
	}{
		{discovery.Verdict{}, up, []string{"up: ok"}},
		{up, up, nil},
		{up, warned, []string{"warns: certificate expires 2026-12-01T00:00:00Z"}},
		{discovery.Verdict{}, warned, []string{"up: ok", "warns: certificate expires 2026-12-01T00:00:00Z"}},
		{warned, up, nil},
		{down, other, nil},
		{up, down, []string{"down: connection refused"}},
		{up, blocked, []string{"cannot be made: set mark 7: operation not permitted"}},
		{blocked, up, []string{"can be made again"}},
	} {
		if diff := cmp.Diff(c.want, checkNews(c.was, c.now)); diff != "" {
			t.Errorf("from %+v to %+v (-want +got):\n%s", c.was, c.now, diff)
		}
	}
}
