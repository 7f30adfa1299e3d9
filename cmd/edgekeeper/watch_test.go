package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestRepeat(t *testing.T) {
	broken := errors.New("no director")
	for _, c := range []struct {
		name  string
		pause time.Duration
		fails int // at this call; 0: never
		calls int
		want  error
	}{
		{"once without a pause", 0, 0, 1, nil},
		{"again and again, until it is interrupted", 2 * time.Second, 0, 3, nil},
		{"a failure ends it", 2 * time.Second, 2, 2, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				calls := 0
				err := repeat(ctx, c.pause, func(context.Context) error {
					if calls++; calls == c.fails {
						return broken
					}
					return nil
				})
				if calls != c.calls || !errors.Is(err, c.want) || c.want == nil && err != nil {
					t.Errorf("%d calls and %v, want %d and %v", calls, err, c.calls, c.want)
				}
			})
		})
	}
}
