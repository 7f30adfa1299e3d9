package track

import (
	"context"

	"github.com/edgekeeper/edgekeeper/internal/program"
)

// process runs the command once.
func (s Script) process(ctx context.Context, report func(outcome)) <-chan struct{} {
	p := program.Program{Command: s.Command, User: s.User, Timeout: s.Timeout}
	return p.Start(ctx, func(o program.Outcome) {
		report(outcome{ok: o.OK(), reason: o.Reason, output: o.Output})
	})
}
