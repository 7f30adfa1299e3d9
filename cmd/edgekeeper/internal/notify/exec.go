package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxOutput is how much of a script's output, or a server's answer, is kept.
const maxOutput = 3 << 10

// pipeTime is how long output is waited for when the script itself has ended: a
// daemon that it has started may hold on to its output for ever.
const pipeTime = 200 * time.Millisecond

// Exec runs a program for each event, without a shell. Its environment is that
// of Environment and nothing else but PATH, HOME, LANG and TZ: the director's own
// may hold tokens. Standard input is empty.
//
// A program that has not ended when its time is over is killed, and with it its
// process group. What it started and left running when it ended by itself is
// left alone.
type Exec struct {
	Command []string // program (an absolute path) and arguments
	// Arguments appends keepalived's four: INSTANCE or GROUP, name, state, priority. For
	// other events than those of VRRP the first is the kind's Word.
	Arguments bool
}

// Deliver runs the program. The error of one that fails holds the first 3 KiB
// of its output.
func (x *Exec) Deliver(ctx context.Context, e Event) error {
	args := x.Command[1:]
	if x.Arguments {
		args = append(args[:len(args):len(args)], e.Kind.Word(), e.Object, e.State, strconv.Itoa(int(e.Priority)))
	}
	cmd := exec.CommandContext(ctx, x.Command[0], args...)
	out := &head{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = Environment(e)
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = pipeTime
	err := cmd.Run()
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("killed when its time was over: %w", err)
	case ctx.Err() != nil:
		err = fmt.Errorf("killed at the stop: %w", err)
	}
	if text := out.text(); text != "" {
		return fmt.Errorf("%s: %w; output: %s", x.Command[0], err, text)
	}
	return fmt.Errorf("%s: %w", x.Command[0], err)
}

// Environment is what a program is told of an event.
func Environment(e Event) []string {
	return []string{
		"NOTIFY_SEQ=" + strconv.FormatUint(e.Seq, 10),
		"NOTIFY_TIME=" + e.At.Format(time.RFC3339Nano),
		"NOTIFY_KIND=" + e.Kind.String(),
		"NOTIFY_OBJECT=" + clean(e.Object),
		"NOTIFY_ASPECT=" + clean(e.Aspect),
		"NOTIFY_STATE=" + clean(e.State),
		"NOTIFY_PREVIOUS=" + clean(e.Previous),
		"NOTIFY_PRIORITY=" + strconv.Itoa(int(e.Priority)),
		"NOTIFY_REASON=" + clean(e.Reason),
		"NOTIFY_ROUTER_ID=" + clean(e.RouterID),
	}
}

// clean makes one line of a text: a reason may quote what a server answered.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// head keeps the beginning of what is written to it.
type head struct{ kept []byte }

func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), maxOutput-len(h.kept))]...)
	return len(p), nil
}

func (h *head) text() string { return strings.TrimSpace(strings.ToValidUTF8(string(h.kept), "?")) }
