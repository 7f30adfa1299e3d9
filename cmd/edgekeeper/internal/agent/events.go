package agent

import (
	"slices"
	"sync"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// maxEvents is how many events are kept in memory.
const maxEvents = 2000

// history is a bounded list of events. It may be used by many goroutines.
type history struct {
	mu     sync.Mutex
	events []control.Event
	seq    uint64
}

func (h *history) add(kind, object, text string) control.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	e := control.Event{Seq: h.seq, At: time.Now(), Kind: kind, Object: object, Text: text}
	if len(h.events) >= 2*maxEvents { // seldom, so that an event costs no move of all
		h.events = slices.Delete(h.events, 0, len(h.events)-maxEvents+1)
	}
	h.events = append(h.events, e)
	return e
}

// since lists the events after the one numbered seq.
func (h *history) since(seq uint64) []control.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := h.events[max(0, len(h.events)-maxEvents):]
	i, _ := slices.BinarySearchFunc(kept, seq+1, func(e control.Event, seq uint64) int { return int(e.Seq) - int(seq) })
	return slices.Clone(kept[i:])
}

// event records that something changed, and why, and logs it.
func (a *agent) event(kind, object, text string) {
	e := a.history.add(kind, object, text)
	a.log.Info(text, "kind", kind, "object", object, "seq", e.Seq)
}
