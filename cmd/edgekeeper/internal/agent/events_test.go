package agent

import "testing"

// TestHistory: the newest events are there, in order, and no more than that.
func TestHistory(t *testing.T) {
	var h history
	if got := h.since(0); len(got) != 0 {
		t.Errorf("%d events before the first", len(got))
	}
	for n := range uint64(3*maxEvents + 7) {
		if e := h.add("check", "web-1", "up: ok"); e.Seq != n+1 {
			t.Fatalf("the event numbered %d has number %d", n+1, e.Seq)
		}
		if n%997 != 0 && n != maxEvents-1 && n != maxEvents {
			continue
		}
		for _, seq := range []uint64{0, n / 2, n, n + 1, n + 100} {
			got := h.since(seq)
			first := max(seq, n+1-min(n+1, maxEvents)) + 1
			if want := int(n+2) - int(min(first, n+2)); len(got) != want {
				t.Fatalf("%d events after %d of %d, want %d", len(got), seq, n+1, want)
			}
			for i, e := range got {
				if e.Seq != first+uint64(i) {
					t.Fatalf("event %d after %d has number %d, want %d", i, seq, e.Seq, first+uint64(i))
				}
			}
		}
	}
	if cap(h.events) > 2*maxEvents {
		t.Errorf("room for %d events", cap(h.events))
	}
}
