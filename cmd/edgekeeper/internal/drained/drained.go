// Package drained waits until a server has no connections left, so that it can
// be stopped without breaking one.
//
// What counts is this host's TCP sockets: with direct routing and tunnels the
// connections end here, and the directors see only one half of them. It works
// in the network namespace of its caller.
package drained

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Filter says which connections are waited for.
type Filter struct {
	Port    uint16     // the server's port. Required.
	Address netip.Addr // the local address; zero means any
}

// String gives the filter as a listener would be named: "192.0.2.1:80", ":80".
func (f Filter) String() string {
	if f.Address.IsValid() {
		return netip.AddrPortFrom(f.Address, f.Port).String()
	}
	return fmt.Sprintf(":%d", f.Port)
}

// Wait is how long connections are waited for.
type Wait struct {
	Filter  Filter
	Settle  time.Duration // the time without a connection that ends the wait
	Timeout time.Duration // the longest wait
	Every   time.Duration // between looks

	// Count returns how many connections there are. Required; [Count] is the
	// kernel's answer.
	Count func(Filter) (int, error)
	// Report, when set, is given the number whenever it has changed.
	Report func(left int)
}

// Run returns how many connections are left: none, or those that outlived
// Timeout. When ctx is done it returns at once with those seen last and ctx's
// error. A look that fails is no proof that nothing is left, so the wait goes on;
// the error of the last look is returned when Timeout ends.
func (w Wait) Run(ctx context.Context) (left int, err error) {
	deadline := time.NewTimer(w.Timeout)
	defer deadline.Stop()
	looks := time.NewTicker(w.Every)
	defer looks.Stop()
	left = -1
	var since time.Time // of the first look that found none
	for {
		n, err := w.Count(w.Filter)
		switch {
		case err != nil:
			since = time.Time{}
		case n > 0:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		}
		if err == nil && n != left {
			left = n
			if w.Report != nil {
				w.Report(n)
			}
		}
		if !since.IsZero() && time.Since(since) >= w.Settle {
			return 0, nil
		}
		select {
		case <-looks.C:
		case <-deadline.C:
			return max(left, 0), err
		case <-ctx.Done():
			return max(left, 0), errors.Join(ctx.Err(), err)
		}
	}
}
