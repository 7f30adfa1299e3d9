package migrate

import "time"

// timing is when a real server is checked: of a virtual server, a real server or
// a checker; what is negative comes from the one before.
type timing struct {
	loop, retryDelay, timeout time.Duration
	retries                   int
}

func noTimes() timing { return timing{-1, -1, -1, -1} }

// over fills in from what is around.
func (a timing) over(b timing) timing {
	pick := func(x, y time.Duration) time.Duration {
		if x >= 0 {
			return x
		}
		return y
	}
	out := timing{pick(a.loop, b.loop), pick(a.retryDelay, b.retryDelay), pick(a.timeout, b.timeout), a.retries}
	if out.retries < 0 {
		out.retries = b.retries
	}
	return out
}

func (t *translator) timeWords(w words, to *timing) {
	wait := func(d *time.Duration) func(statement) {
		return func(s statement) {
			if v, ok := t.seconds(s, 1); ok {
				*d = t.clock(s, v)
			}
		}
	}
	w["delay_loop"], w["connect_timeout"], w["delay_before_retry"] = wait(&to.loop), wait(&to.timeout), wait(&to.retryDelay)
	retry := func(s statement) {
		if n, ok := t.integer(s, 1, 0, 1<<31-1); ok {
			if n > 1000 {
				t.differ(s.At, "%s %d: at most 1000; it is that", s.Name(), n)
				n = 1000
			}
			to.retries = n
		}
	}
	w["retry"], w["nb_get_retry"] = retry, retry
}
