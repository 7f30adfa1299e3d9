package traffic

import (
	"fmt"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	base := time.Unix(1000, 0)
	at := func(ms int) time.Time { return base.Add(time.Duration(ms) * time.Millisecond) }
	var l Load
	for _, r := range []struct {
		ms, latency int
		rest        string
	}{{0, 10, "ok w1"}, {100, 10, "ok w2"}, {200, 1000, "timeout -"}, {300, 1000, "reset -"}, {400, 50, "ok w1"}} {
		line := fmt.Sprintf("%d %d %s 40000 0\n", at(r.ms).UnixNano(), r.latency*1000, r.rest)
		for _, half := range []string{line[:7], line[7:]} { // output comes in pieces
			if _, err := l.Write([]byte(half)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if l.Err() != nil {
		t.Fatal(l.Err())
	}
	if got, want := l.Window(base, time.Time{}).String(), "5 sent, 2 lost, w1 2, w2 1, timeout 1, reset 1"; got != want {
		t.Errorf("whole window: %q, want %q", got, want)
	}
	if got := l.Window(at(100), at(300)); len(got) != 2 || got.Lost() != 1 {
		t.Errorf("part: %v", got)
	}
	if got, want := l.Gap(at(150), time.Time{}), 340*time.Millisecond; got != want { // answers at 110 and 450
		t.Errorf("gap %v, want %v", got, want)
	}
	if got, want := l.Gap(at(150), at(350)), 240*time.Millisecond; got != want { // still waiting at 350
		t.Errorf("open gap %v, want %v", got, want)
	}
	if _, err := l.Write([]byte("nonsense\n")); err != nil || l.Err() == nil {
		t.Errorf("nonsense accepted: %v, %v", err, l.Err())
	}
}
