package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// ErrFrozen is wrapped by Run's error when the guest gave no sign of life for
// too long: its processors, or the emulator itself, stand still. It says
// nothing about what ran in it.
var ErrFrozen = errors.New("guest froze")

// A guest's first process sends a zero byte on the lab's serial port at every
// beat: a sign that its processors, its clock and the port work.
const (
	beat        = 5 * time.Second
	frozenAfter = 2 * time.Minute // a busy guest was seen to be late by seconds
)

// sendPulse sends the guest's sign of life until the port is closed.
func sendPulse(port io.Writer) {
	for {
		if _, err := port.Write([]byte{0}); err != nil {
			return
		}
		time.Sleep(beat)
	}
}

// pulse is the host's end: it hands on what the guest prints, without the signs
// of life, and remembers when it last heard anything.
type pulse struct {
	out  io.Writer
	last atomic.Int64 // Unix time, ns
}

func newPulse(out io.Writer) *pulse {
	p := &pulse{out: out}
	p.last.Store(time.Now().UnixNano())
	return p
}

func (p *pulse) Write(b []byte) (int, error) {
	p.last.Store(time.Now().UnixNano())
	if said := bytes.ReplaceAll(b, []byte{0}, nil); len(said) > 0 {
		if _, err := p.out.Write(said); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// watch calls frozen once when nothing was heard for limit; it returns then, or
// at the end of ctx.
func (p *pulse) watch(ctx context.Context, limit time.Duration, frozen func()) {
	for {
		left := time.Until(time.Unix(0, p.last.Load()).Add(limit))
		if left <= 0 {
			frozen()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(left):
		}
	}
}

// autopsy writes what QEMU's monitor knows of a frozen guest to a file: the
// registers say where each processor stands. Then it sends an interrupt that
// cannot be masked; a kernel that still takes it ends with a trace of each
// processor on the console, and QEMU with it.
func autopsy(monitor net.Conn, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("record the frozen guest: %w", err)
	}
	defer f.Close()
	if err := monitor.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return fmt.Errorf("ask the monitor: %w", err)
	}
	if _, err := io.WriteString(monitor, "info status\ninfo registers -a\ninfo irq\ninfo lapic 0\ninfo lapic 1\ninfo jit\nnmi\n"); err != nil {
		return fmt.Errorf("ask the monitor: %w", err)
	}
	if _, err := io.Copy(f, monitor); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("record the frozen guest: %w", err)
	}
	return nil
}

// monitor returns the two ends of a connection to QEMU's monitor; the file is
// QEMU's.
func monitor() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("connect QEMU's monitor: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "monitor"), os.NewFile(uintptr(fds[1]), "monitor")
	defer ours.Close()
	c, err := net.FileConn(ours) // a copy
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("connect QEMU's monitor: %w", err)
	}
	return c, theirs, nil
}
