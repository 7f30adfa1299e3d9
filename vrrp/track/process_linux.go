package track

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"path"
	"slices"
	"strings"
	"time"
)

// ArgumentMatch says how the arguments of a process are compared.
type ArgumentMatch uint8

// The ways of comparing arguments; the last two are keepalived's param_match.
const (
	MatchExact   ArgumentMatch = iota // these and no others
	MatchInitial                      // these, and any after them
	MatchPartial                      // as MatchInitial, and the last need only begin like this
)

// fullScan is how often all processes are looked at although the kernel tells
// which come and go.
const fullScan = 30 * time.Second

// Process is up while enough processes run that match. The kernel tells which
// come and go (the process connector) where it may be asked: in the initial
// network, user and process namespaces. Elsewhere, /proc is read at intervals.
type Process struct {
	// Name is the program: an absolute path, compared with the first word of the
	// command line, or a name, compared with the last element of that word and
	// with the kernel's name of the process (15 bytes). Required.
	Name string
	// Arguments are compared with the rest of the command line. Nil: any.
	Arguments []string
	Match     ArgumentMatch
	// Quorum is how many are needed, QuorumMax how many there may be; negative: any
	// number.
	Quorum, QuorumMax int
	Delay             Delay         // keepalived's fork_delay and terminate_delay
	Interval          time.Duration // between looks at /proc without the connector. Required.
	Log               *slog.Logger  // nil discards

	root    string                     // of the processes; empty: /proc
	connect func() (*connector, error) // nil: the kernel's
}

// Run implements Source.
func (p Process) Run(ctx context.Context, emit func(Verdict)) error {
	if p.root == "" {
		p.root = "/proc"
	}
	seen := p.Delay.start(emit)
	defer seen.timer.Stop()
	connect := p.connect
	if connect == nil {
		connect = openConnector
	}
	every := p.Interval
	var news <-chan change
	conn, err := connect()
	if err != nil {
		quiet(p.Log).Info("the kernel does not tell which processes come and go; looking at intervals", "interval", p.Interval, "reason", err)
	} else {
		defer conn.close()
		news, every = conn.changes, max(every, fullScan)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	match := map[int]bool{}
	scan := func() {
		if pids, err := processes(p.root); err != nil {
			quiet(p.Log).Warn("list processes", "error", err) // the last verdict stands
		} else {
			clear(match)
			for _, pid := range pids {
				if p.matches(pid) {
					match[pid] = true
				}
			}
			seen.see(p.judge(len(match)))
		}
	}
	scan()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-seen.timer.C:
			seen.due()
		case <-tick.C:
			scan()
		case c, open := <-news:
			switch {
			case !open:
				quiet(p.Log).Warn("the kernel no longer tells which processes come and go; looking at intervals", "interval", p.Interval)
				news = nil
				tick.Reset(p.Interval)
				scan()
			case c.lost:
				scan()
			case c.gone:
				if match[c.pid] {
					delete(match, c.pid)
					seen.see(p.judge(len(match)))
				}
			case p.matches(c.pid) != match[c.pid]:
				if match[c.pid] {
					delete(match, c.pid)
				} else {
					match[c.pid] = true
				}
				seen.see(p.judge(len(match)))
			}
		}
	}
}

func (p Process) judge(n int) Verdict {
	most := p.QuorumMax
	if most < 0 {
		most = math.MaxInt
	}
	reason := fmt.Sprintf("%d processes match", n)
	if n == 1 {
		reason = "1 process matches"
	}
	switch {
	case n < p.Quorum:
		reason += fmt.Sprintf(", at least %d needed", p.Quorum)
	case n > most:
		reason += fmt.Sprintf(", at most %d allowed", most)
	}
	return verdict(n >= p.Quorum && n <= most, reason)
}

// matches reports whether a process is one of those that are counted. One that
// is gone is not, nor is one that has ended and waits for its parent.
func (p Process) matches(pid int) bool {
	comm, words, ok := describe(p.root, pid)
	if !ok {
		return false
	}
	switch {
	case len(words) == 0: // a kernel thread
		return comm == p.Name && len(p.Arguments) == 0
	case strings.HasPrefix(p.Name, "/"):
		if words[0] != p.Name {
			return false
		}
	case path.Base(words[0]) != p.Name && comm != p.Name:
		return false
	}
	if p.Arguments == nil {
		return true
	}
	have := words[1:]
	switch p.Match {
	case MatchExact:
		return slices.Equal(have, p.Arguments)
	case MatchInitial:
		return len(have) >= len(p.Arguments) && slices.Equal(have[:len(p.Arguments)], p.Arguments)
	case MatchPartial:
		last := len(p.Arguments) - 1
		return len(have) > last && slices.Equal(have[:last], p.Arguments[:last]) && strings.HasPrefix(have[last], p.Arguments[last])
	}
	return false
}
