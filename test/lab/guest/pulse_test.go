package guest

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestPulse(t *testing.T) {
	for name, c := range map[string]struct {
		alive  time.Duration // how long the guest sends its sign of life
		end    time.Duration // when the run is over
		frozen bool
	}{
		"a guest that lives":           {alive: time.Hour, end: 10 * time.Minute},
		"one that ends in time":        {alive: time.Minute, end: 2 * time.Minute},
		"one that freezes":             {alive: time.Minute, end: time.Hour, frozen: true},
		"one that does not even start": {alive: 0, end: time.Hour, frozen: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.end)
				defer cancel()
				var said bytes.Buffer
				p := newPulse(&said)
				guest, port := io.Pipe()
				var wg sync.WaitGroup
				defer wg.Wait()
				defer guest.Close() // ends both
				time.AfterFunc(c.alive, func() { guest.Close() })
				if c.alive > 0 {
					wg.Go(func() { sendPulse(port) })
				}
				wg.Go(func() { _, _ = io.Copy(p, guest) })
				began, frozen := time.Now(), time.Duration(0)
				p.watch(ctx, frozenAfter, func() { frozen = time.Since(began) })
				if (frozen != 0) != c.frozen {
					t.Errorf("frozen after %s, want frozen: %t", frozen, c.frozen)
				}
				if c.frozen && (frozen < c.alive+frozenAfter-beat || frozen > c.alive+frozenAfter) {
					t.Errorf("said to be frozen after %s, the last sign of life came after %s", frozen, c.alive)
				}
				if said.Len() != 0 {
					t.Errorf("printed %q", said.Bytes())
				}
			})
		})
	}
}

func TestPulseIsNotPrinted(t *testing.T) {
	var said bytes.Buffer
	p := newPulse(&said)
	for _, s := range []string{"\x00", "=== 1/2\x00 kv\n", "\x00\x00---", "\x00 pass\n"} {
		if n, err := p.Write([]byte(s)); n != len(s) || err != nil {
			t.Errorf("Write(%q) = %d, %v", s, n, err)
		}
	}
	if want := "=== 1/2 kv\n--- pass\n"; said.String() != want {
		t.Errorf("printed %q, want %q", said.String(), want)
	}
}
