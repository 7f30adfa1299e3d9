package notify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// FIFO writes a line for each event to a named pipe, in the form of keepalived's
// notify_fifo:
//
//	INSTANCE "VI_1" MASTER 100
//	GROUP "edge" MASTER 0
//	VS "web" QUORUM_LOST 0
//	RS "web 10.0.0.1:80" DOWN 0
//
// The pipe is made, mode 0600, when there is none, and stays when the director
// stops. It is held open for reading too, as keepalived does, so a reader that
// goes away finds the lines of the meantime when it comes back; when the pipe is
// full (64 KiB), Deliver fails at the end of its time.
type FIFO struct {
	Path string

	pipe *os.File
}

// ErrNotFIFO: the path names something that is no FIFO.
var ErrNotFIFO = errors.New("not a FIFO")

// Line is what a FIFO's reader gets for an event.
func Line(e Event) string {
	return fmt.Sprintf("%s \"%s\" %s %d\n", e.Kind.Word(), clean(e.Object), clean(e.State), e.Priority)
}

// Deliver writes the line, whole or not at all (pipe(7): up to PIPE_BUF).
func (f *FIFO) Deliver(ctx context.Context, e Event) error {
	if err := f.open(); err != nil {
		return err
	}
	end, _ := ctx.Deadline() // zero: none
	if err := f.pipe.SetWriteDeadline(end); err != nil {
		return fmt.Errorf("write to FIFO: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = f.pipe.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := f.pipe.WriteString(Line(e)); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("write to FIFO %s: it is full, nobody reads it: %w", f.Path, err)
	} else if err != nil {
		return fmt.Errorf("write to FIFO: %w", err)
	}
	return nil
}

// open makes sure that the pipe is the one that the path names now: readers make
// it anew when they start.
func (f *FIFO) open() error {
	info, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := syscall.Mkfifo(f.Path, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make FIFO %s: %w", f.Path, err)
		}
		info, err = os.Stat(f.Path)
	}
	if err != nil {
		return fmt.Errorf("open FIFO: %w", err)
	}
	if info.Mode().Type() != fs.ModeNamedPipe {
		return fmt.Errorf("open FIFO %s: %w", f.Path, ErrNotFIFO)
	}
	if f.pipe != nil {
		if have, err := f.pipe.Stat(); err == nil && os.SameFile(have, info) {
			return nil
		}
		_ = f.Close() // whoever reads the old one is gone
	}
	f.pipe, err = os.OpenFile(f.Path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open FIFO: %w", err)
	}
	return nil
}

// Close closes the pipe.
func (f *FIFO) Close() error {
	if f.pipe == nil {
		return nil
	}
	err := f.pipe.Close()
	f.pipe = nil
	return err
}
