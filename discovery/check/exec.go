package check

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/internal/program"
)

// exec makes a probe that runs a program: exit code 0 is a success. A program
// that cannot be run says nothing about the target. One that does not end in
// time is ended, TERM and half a second later KILL, before the attempt is over.
func (m *Maker) exec(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	x := spec.Exec
	command := x.Command.Texts()
	if len(command) == 0 {
		return nil, errNoCommand
	}
	target := c.Target
	p := program.Program{Command: command, User: x.User, Env: append([]string{
		"EDGEKEEPER_ADDRESS=" + target.Addr().String(),
		"EDGEKEEPER_PORT=" + strconv.Itoa(int(target.Port())),
		"EDGEKEEPER_TARGET=" + target.String(),
	}, x.Env.Texts()...)}
	return func(ctx context.Context) (Note, error) {
		var o program.Outcome
		<-p.Start(ctx, func(result program.Outcome) { o = result })
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded) && !o.Exited():
			return Note{}, programError("no result within " + spec.Timeout.String())
		case o.Err != nil:
			return Note{}, &localError{"run " + command[0], o.Err}
		case x.Dynamic && o.Code >= 2: // keepalived's misc_dynamic
			return Note{Weight: discovery.WeightAdvice{Replace: true, Value: o.Code - 2}}, nil
		case o.OK():
			return Note{}, nil
		}
		why := o.Reason
		if first, _, _ := strings.Cut(o.Output, "\n"); first != "" {
			why += ": " + first
		}
		return Note{}, programError(why)
	}, nil
}

// programError is what is wrong by a program's word.
type programError string

func (e programError) Error() string { return string(e) }

var errNoCommand = errors.New("there is no command")
