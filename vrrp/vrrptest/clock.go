package vrrptest

import "time"

// clock is the clock of one host. It runs at a rate of its own, which a fault
// may change, and it never goes back. Everything on the host goes by it: the
// timers of the machine, and the lifetimes that the kernel counts.
type clock struct {
	since   time.Duration // true time when the rate was set
	reading time.Duration // what the clock showed then
	ppm     int64         // it gains so many microseconds in each second
}

const million = 1_000_000

// read is what the clock shows at true time now.
func (c *clock) read(now time.Duration) time.Duration {
	d := now - c.since
	if c.ppm == 0 {
		return c.reading + d
	}
	return c.reading + d + d*time.Duration(c.ppm)/million
}

// when is the true time at which the clock shows reading.
func (c *clock) when(reading time.Duration) time.Duration {
	d := reading - c.reading
	if c.ppm == 0 {
		return c.since + d
	}
	t := c.since + d*million/time.Duration(million+c.ppm)
	for c.read(t) < reading {
		t++
	}
	return t
}

// set changes the rate from now on.
func (c *clock) set(now time.Duration, ppm int64) {
	c.since, c.reading, c.ppm = now, c.read(now), ppm
}

// lasts is the true time that d takes by a clock of this rate.
func lasts(d time.Duration, ppm int64) time.Duration {
	return d * million / time.Duration(million+ppm)
}
