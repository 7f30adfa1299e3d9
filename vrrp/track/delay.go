package track

import (
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Delay keeps changes back that may not last. A change to up counts when it has
// been true for Up, one to down when it has been true for Down; the first
// verdict counts at once.
type Delay struct {
	Up, Down time.Duration
}

// delayed applies a Delay to what a source sees, for one goroutine.
type delayed struct {
	Delay
	teller
	timer   *time.Timer
	waiting *Verdict
}

func (d Delay) start(emit func(Verdict)) *delayed {
	x := &delayed{Delay: d, teller: teller{emit: emit}, timer: time.NewTimer(time.Hour)}
	x.timer.Stop()
	return x
}

// see takes what is true now.
func (d *delayed) see(v Verdict) {
	wait := d.Up
	if v.Result.State == vrrp.TrackDown {
		wait = d.Down
	}
	switch {
	case v.Result.State == d.last.Result.State || d.last == (Verdict{}) || wait == 0:
		d.waiting = nil
		d.timer.Stop()
		d.tell(v)
	case d.waiting != nil: // counts from when it began
		*d.waiting = v
	default:
		d.waiting = &v
		d.timer.Reset(wait)
	}
}

// due is to be called when the timer has fired.
func (d *delayed) due() {
	if v := d.waiting; v != nil {
		d.waiting = nil
		d.tell(*v)
	}
}
