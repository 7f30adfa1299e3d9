package agent_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kernelFavours notes what the director asks of the kernel, which refuses it.
type kernelFavours struct {
	mu     sync.Mutex
	asked  []string
	refuse error
}

func (k *kernelFavours) ask(what string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, what)
	return k.refuse
}

func (k *kernelFavours) take() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	asked := k.asked
	k.asked = nil
	return asked
}

func (k *kernelFavours) allow() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refuse = nil
}

// TestProcess: what the kernel is asked follows the configuration, also at a
// reload, and what it refuses is an event and in status.
func TestProcess(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.platform = quiet(s)
	k := &kernelFavours{refuse: errors.New("not permitted: it needs CAP_SYS_NICE")}
	s.platform.Realtime = func(p int) error { return k.ask(fmt.Sprint("realtime ", p)) }
	s.platform.LockMemory = func(lock bool) error { return k.ask(fmt.Sprint("lock ", lock)) }
	s.setup("process {\n  realtime_priority = 5\n  lock_memory = true\n}\n")
	s.start()
	s.until("the refusals are in status", func() bool {
		p := s.snapshot().Process
		return p.RealtimePriority == 5 && p.LockMemory && strings.Contains(p.RealtimeError, "CAP_SYS_NICE") && p.LockError != ""
	})
	if diff := cmp.Diff([]string{"lock true", "realtime 5"}, k.take()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	events, err := s.client().Events(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	warned := 0
	for _, e := range events {
		if e.Kind == "agent" && e.Object == "process" && strings.Contains(e.Text, "warning, going on without: not permitted") {
			warned++
		}
	}
	if warned != 2 {
		t.Errorf("%d warnings in %+v", warned, events)
	}

	k.allow()
	s.until("master", func() bool { return s.snapshot().VRRP[0].State == "MASTER" }) // it would become that in between
	since := s.snapshot().VRRP[0].Since
	s.setup("")
	s.hup <- syscall.SIGHUP
	s.until("the reload takes it back", func() bool {
		p := s.snapshot().Process
		return p.RealtimePriority == 0 && p.RealtimeError == "" && p.LockError == ""
	})
	if diff := cmp.Diff([]string{"lock false", "realtime 0"}, k.take()); diff != "" {
		t.Errorf("asked at the reload (-want +got):\n%s", diff)
	}
	if r := s.snapshot().VRRP[0]; !r.Since.Equal(since) {
		t.Error("the router began anew")
	}
}
