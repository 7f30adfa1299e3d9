package agent

import (
	"sync"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// maxEvents is how many events are kept in memory.
const maxEvents = 2000

// history is a bounded list of events. It may be used by many goroutines.
type history struct {
	mu     sync.Mutex
	events []control.Event // the one numbered n is at (n-1)%maxEvents
	seq    uint64
}

func (h *history) add(kind, object, text string) control.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	e := control.Event{Seq: h.seq, At: time.Now(), Kind: kind, Object: object, Text: text}
	if len(h.events) < maxEvents {
		h.events = append(h.events, e)
	} else {
		h.events[(e.Seq-1)%maxEvents] = e
	}
	return e
}

// since lists the events after the one numbered seq.
func (h *history) since(seq uint64) (out []control.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for seq = max(seq, h.seq-uint64(len(h.events))); seq < h.seq; seq++ {
		out = append(out, h.events[seq%maxEvents])
	}
	return out
}

// event records that something changed, and why, and logs it.
func (a *agent) event(kind, object, text string) {
	e := a.history.add(kind, object, text)
	a.log.Info(text, "kind", kind, "object", object, "seq", e.Seq)
}
