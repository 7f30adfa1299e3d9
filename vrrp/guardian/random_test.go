package guardian

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// frozen is a wire whose guardian is stopped by SIGSTOP now and then.
type frozen struct {
	*wire
	mu    sync.Mutex
	until time.Time
}

func (f *frozen) freeze(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until = time.Now().Add(d)
}

func (f *frozen) thaw() {
	for {
		f.mu.Lock()
		d := time.Until(f.until)
		f.mu.Unlock()
		if d <= 0 {
			return
		}
		time.Sleep(d)
	}
}

func (f *frozen) Wait(limit time.Duration) (bool, error) {
	_, err := f.wire.Wait(limit)
	f.thaw()
	return f.ready(), err
}

func (f *frozen) Read(b []byte) (int, error) {
	f.thaw()
	return f.wire.Read(b)
}

// TestServeRandom holds the guardian to its contract over random lives: it is
// armed and disarmed, director and guardian are stopped and go on, and in the end
// the director dies, or only closes the socket, or says goodbye. The simulation
// of package vrrptest takes guardians to keep this contract.
func TestServeRandom(t *testing.T) {
	for seed := range uint64(500) {
		synctest.Test(t, func(t *testing.T) { liveOnce(t, seed) })
		if t.Failed() {
			return
		}
	}
}

func liveOnce(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	k := &fake{}
	d := &director{t: t, wire: &wire{news: make(chan struct{}, 1), answer: make(chan struct{}, 1)}, done: make(chan struct{})}
	conn := &frozen{wire: d.wire}
	go func() {
		defer close(d.done)
		d.report, d.err = Serve(conn, k)
	}()
	d.hello()
	armed := map[string]time.Duration{}
	for range rng.IntN(12) {
		name := string(rune('a' + rng.IntN(3)))
		switch rng.IntN(5) {
		case 0, 1:
			a := theArm()
			a.Instance, a.Within = name, time.Duration(1+rng.IntN(3000))*time.Millisecond
			if e := d.ask(message{Arm: a}); e != "" {
				t.Fatal(e)
			}
			armed[name] = a.Within
		case 2:
			d.ask(message{Disarm: &name})
			delete(armed, name)
		case 3: // the director is stopped, or has nothing to say
			time.Sleep(time.Duration(rng.IntN(10_000)) * time.Millisecond)
		case 4:
			conn.freeze(time.Duration(rng.IntN(8_000)) * time.Millisecond)
			time.Sleep(time.Duration(rng.IntN(8_000)) * time.Millisecond)
		}
		synctest.Wait()
		if len(k.did) > 0 {
			t.Fatalf("seed %d: acted while the director lives: %v", seed, k.did)
		}
	}
	end := rng.IntN(4)
	switch end {
	case 0:
		d.send(message{Bye: true})
	case 1:
		k.alive = true
	}
	death := time.Now()
	d.dies()
	took := time.Since(death)
	if end < 2 {
		if len(k.did) > 0 || end == 1 && len(armed) > 0 && !errors.Is(d.err, ErrAlive) {
			t.Errorf("seed %d: end %d: did %v, error %v", seed, end, k.did, d.err)
		}
		return
	}
	for _, name := range []string{"a", "b", "c"} {
		within, is := armed[name]
		released, resigned := slices.Index(k.did, "release "+name), slices.Index(k.did, "resign "+name)
		switch {
		case (released >= 0) != is:
			t.Errorf("seed %d: %s armed: %v, and did %v", seed, name, is, k.did)
		case resigned >= 0 && resigned < released:
			t.Errorf("seed %d: resigned for %s before its addresses were off: %v", seed, name, k.did)
		case resigned >= 0 && took > within:
			t.Errorf("seed %d: resigned for %s %s after the death, limit %s", seed, name, took, within)
		case is && took == 0 && resigned < 0:
			t.Errorf("seed %d: did not resign for %s, and was not late: %v", seed, name, k.did)
		}
	}
}
