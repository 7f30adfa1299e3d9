package agent

import "time"

// tidyEvery is how often there is tidying up at least while changes do not end.
const tidyEvery = time.Minute

// tidiness knows when the work of a start, or of changes, is over, so that what
// only that has needed can go. With ten thousand checks that is long after the
// kernel has had its first table: their first verdicts all change it.
type tidiness struct {
	worked bool      // since the last review
	untidy bool      // there was work since the last tidying
	last   time.Time // when that was; zero: never
}

// work is called when something was done that leaves something behind.
func (t *tidiness) work() { t.worked, t.untidy = true, true }

// review is called at intervals, and reports whether to tidy up now. finished says
// that the kernel has all that was decided.
func (t *tidiness) review(now, begun time.Time, finished bool) bool {
	over := finished && !t.worked
	t.worked = false
	last := t.last
	if last.IsZero() {
		last = begun
	}
	if !t.untidy || !over && now.Sub(last) < tidyEvery {
		return false
	}
	t.untidy, t.last = !over, now // it is not over: there will be more
	return true
}

// tidy tells who is to know that work is over. It is not while a configuration is
// read, which takes seconds when it is a large one.
func (a *agent) tidy() {
	if a.opts.Settled != nil && !a.reading.Load() && a.tidiness.review(time.Now(), a.begun, a.kernel.finished()) {
		go a.opts.Settled()
	}
}
