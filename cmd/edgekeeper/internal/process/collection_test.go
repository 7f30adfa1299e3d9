package process

import (
	"runtime"
	"testing"
	"time"
)

// TestAfterCollections: each collection is told of, not only the first.
func TestAfterCollections(t *testing.T) {
	told := make(chan bool, 1)
	afterCollections(func() {
		select {
		case told <- true:
		default:
		}
	})
	for n := range 3 {
		deadline := time.After(20 * time.Second)
		for heard := false; !heard; {
			runtime.GC() // it may come before the last one was done with
			select {
			case heard = <-told:
			case <-time.After(10 * time.Millisecond):
			case <-deadline:
				t.Fatalf("collection %d was not told of", n+1)
			}
		}
	}
}

// TestLeavingIsPaced: a busy director collects many times a second.
func TestLeavingIsPaced(t *testing.T) {
	var l leaving
	now := time.Now()
	n := 0
	for range 100 {
		if l.due(now) {
			n++
		}
		now = now.Add(time.Second)
	}
	if n != 10 {
		t.Errorf("left %d times in 100 s, want 10", n)
	}
}
