package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var epoch = time.Unix(1_000_000_000, 0)

// script drives one machine on virtual time and writes down what it does, one
// line per action: "3.609 send 100", "3.609 MASTER: no advert …", "3.609 announce 5".
type script struct {
	t   *testing.T
	m   *Machine
	now time.Time
	log []string
}

// newScript starts a machine with address 192.0.2.2 at time 0.
func newScript(t *testing.T, change func(*Config)) *script {
	t.Helper()
	cfg := captureConfig()
	cfg.Announce.Delay = -1
	if change != nil {
		change(&cfg)
	}
	m, err := NewMachine(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, m: m, now: epoch}
	s.do(Start{Source: addr("192.0.2.2")})
	return s
}

func (s *script) do(ev Event) {
	for _, a := range s.m.Step(s.now, ev) {
		at := fmt.Sprintf("%.3f ", s.now.Sub(epoch).Seconds())
		switch a := a.(type) {
		case SendAdvert:
			s.log = append(s.log, at+fmt.Sprintf("send %d", a.Priority))
		case Enter:
			s.log = append(s.log, at+fmt.Sprintf("%s: %s", a.State, a.Reason))
		case Announce:
			s.log = append(s.log, at+fmt.Sprintf("announce %d", a.Rounds))
		}
	}
}

// until lets time pass to an offset from the start; timers are served on time.
func (s *script) until(seconds float64) {
	end := epoch.Add(time.Duration(seconds * float64(time.Second)))
	for d := s.m.Deadline(); !d.IsZero() && !d.After(end); d = s.m.Deadline() {
		s.now = d
		s.do(Timeout{})
	}
	s.now = end
}

// succeed makes it master at 3.609 s, of a master that has fallen silent, and
// goes on to 4 s. The log is emptied at the announcement.
func (s *script) succeed() {
	s.hear(9, 200)
	s.until(4)
	i := slices.IndexFunc(s.log, func(line string) bool { return strings.Contains(line, "announce") })
	s.log = s.log[i+1:]
}

// sleep lets time pass with the machine asleep.
func (s *script) sleep(seconds float64) {
	s.now = s.now.Add(time.Duration(seconds * float64(time.Second)))
}

// hear delivers an advert from 192.0.2.<host>.
func (s *script) hear(host byte, priority uint8) {
	s.do(Received{Source: netip.AddrFrom4([4]byte{192, 0, 2, host}), Priority: priority, Interval: s.m.cfg.Interval})
}

func (s *script) want(lines ...string) {
	s.t.Helper()
	if diff := cmp.Diff(lines, s.log, cmpopts.EquateEmpty()); diff != "" {
		s.t.Errorf("(-want +got)\n%s", diff)
	}
}

const started = "0.000 BACKUP: started, listening for a master"
