package main

import (
	"context"
	"time"
)

// repeat calls show, and again after each pause until ctx ends, which is no
// error. Without a pause it calls show once.
func repeat(ctx context.Context, pause time.Duration, show func(context.Context) error) error {
	for {
		err := show(ctx)
		switch {
		case pause > 0 && ctx.Err() != nil:
			return nil //nolint:nilerr // that is how watching ends
		case err != nil || pause <= 0:
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}
