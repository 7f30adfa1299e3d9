package vrrp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// groupScript drives a group of two members on virtual time, A on 192.0.2.0/24
// and B on 198.51.100.0/24, as host 2 of both. Lines begin with the member.
type groupScript struct {
	t   *testing.T
	g   *Group
	now time.Time
	log []string
}

func newGroupScript(t *testing.T, change func(a, b *Config)) *groupScript {
	t.Helper()
	a := captureConfig()
	a.Name, a.Announce.Delay = "A", -1
	b := a
	b.Name, b.VRID = "B", 52
	if change != nil {
		change(&a, &b)
	}
	g, err := NewGroup(a, b)
	if err != nil {
		t.Fatal(err)
	}
	return &groupScript{t: t, g: g, now: epoch}
}

func source(member, host int) string {
	return fmt.Sprintf([]string{"192.0.2.%d", "198.51.100.%d"}[member], host)
}

const bothStarted = `
	0.000 A BACKUP: started, listening for a master
	0.000 B BACKUP: started, listening for a master`

// start begins both members at time 0.
func (s *groupScript) start() *groupScript {
	for i := range 2 {
		s.do(i, Start{Source: addr(source(i, 2))})
	}
	return s
}

func (s *groupScript) do(member int, ev Event) {
	s.t.Helper()
	for _, a := range s.g.Step(s.now, member, ev) {
		at := fmt.Sprintf("%.3f %c ", s.now.Sub(epoch).Seconds(), 'A'+rune(a.Member))
		switch a := a.Action.(type) {
		case SendAdvert:
			s.log = append(s.log, at+fmt.Sprintf("send %d", a.Priority))
		case Enter:
			s.log = append(s.log, at+fmt.Sprintf("%s: %s", a.State, a.Reason))
		case Announce:
			s.log = append(s.log, at+fmt.Sprintf("announce %d", a.Rounds))
		}
	}
	masters := 0
	for _, m := range s.g.members {
		if m.State() == Master {
			masters++
		}
	}
	if masters == 1 {
		s.t.Fatalf("%s: one of two members is master", s.now.Sub(epoch))
	}
}

func (s *groupScript) hear(member, host int, priority uint8) {
	s.t.Helper()
	s.do(member, Received{Source: addr(source(member, host)), Priority: priority, Interval: s.g.Member(member).Config().Interval})
}

func (s *groupScript) until(seconds float64) {
	s.t.Helper()
	end := epoch.Add(time.Duration(seconds * float64(time.Second)))
	for {
		at, who := end.Add(1), -1
		for i := range 2 {
			if d := s.g.Member(i).Deadline(); !d.IsZero() && d.Before(at) {
				at, who = d, i
			}
		}
		if who < 0 {
			break
		}
		s.now = at
		s.do(who, Timeout{})
	}
	s.now = end
}

func (s *groupScript) want(want string) {
	s.t.Helper()
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(want), "\n") {
		lines = append(lines, strings.TrimSpace(line))
	}
	if diff := cmp.Diff(strings.Join(lines, "\n"), strings.Join(s.log, "\n")); diff != "" {
		s.t.Errorf("(-want +got)\n%s", diff)
	}
	s.log = nil
}

// succeed makes it master of a host 9 that has fallen silent, and goes on to 4 s.
func (s *groupScript) succeed() *groupScript {
	s.t.Helper()
	s.start()
	s.hear(0, 9, 200)
	s.hear(1, 9, 200)
	s.until(4)
	if s.g.State() != Master {
		s.t.Fatalf("state %s after the silence", s.g.State())
	}
	s.log = nil
	return s
}
