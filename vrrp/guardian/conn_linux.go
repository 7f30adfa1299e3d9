package guardian

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// socketConn is a Conn on a non-blocking socket. It uses poll(2) and not the
// deadlines of package os, which, after a stop of the process, may report that
// time is over although the end of the socket is there too.
type socketConn int

// replyTime bounds the writing of one reply.
const replyTime = time.Second

func (c socketConn) Wait(limit time.Duration) (ready bool, err error) {
	return c.poll(unix.POLLIN, limit)
}

func (c socketConn) poll(events int16, limit time.Duration) (ready bool, err error) {
	ms := -1
	if limit >= 0 {
		ms = int((limit + time.Millisecond - 1) / time.Millisecond)
	}
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(c), Events: events}}, ms)
	if errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return n > 0, err
}

func (c socketConn) Read(b []byte) (int, error) {
	n, err := unix.Read(int(c), b)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("read: %w", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (c socketConn) Write(b []byte) (written int, err error) {
	for deadline := time.Now().Add(replyTime); written < len(b); {
		n, err := unix.Write(int(c), b[written:])
		written += max(n, 0)
		switch {
		case err == nil, errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN) && time.Now().Before(deadline):
			if _, err := c.poll(unix.POLLOUT, time.Until(deadline)); err != nil {
				return written, err
			}
		default:
			return written, fmt.Errorf("write: %w", err)
		}
	}
	return written, nil
}
