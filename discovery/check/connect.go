package check

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// connector makes the connections of checks that do nothing but connect, which
// at many sites are nearly all. The runner's loop begins and ends them without a
// goroutine, a context or a timer for each; one goroutine tells it which of them
// have come about.
type connector struct {
	poll   *os.File // an epoll instance, which is in the runtime's own
	fd     int      // its descriptor
	ready  chan []unix.EpollEvent
	flying map[uint32]*entry // by the number of the attempt
	last   uint32
	fresh  []uint32 // begun, and not watched yet
}

// plainConnect reports whether a check does nothing but connect.
func plainConnect(spec *discovery.CheckSpec, target netip.AddrPort) bool {
	return spec.Type == discovery.TCP && spec.Payload == (discovery.PayloadSpec{}) && !spec.TLS.Enabled && target.Addr().Zone() == "" &&
		(!spec.Source.IsValid() || spec.Source.Is4() == target.Addr().Is4())
}

func newConnector() (*connector, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or the runtime would not watch it
		_ = unix.Close(fd)
		return nil, err
	}
	return &connector{poll: os.NewFile(uintptr(fd), "epoll"), fd: fd, ready: make(chan []unix.EpollEvent), flying: map[uint32]*entry{}}, nil
}

// watch tells what has come about until the connector is closed or ctx ends.
func (c *connector) watch(ctx context.Context) {
	raw, err := c.poll.SyscallConn()
	if err != nil {
		return // closed already
	}
	buf := make([]unix.EpollEvent, 256)
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), buf, 0) // fails only for arguments that are wrong
			return n > 0
		})
		if err != nil {
			return
		}
		select {
		case c.ready <- append([]unix.EpollEvent(nil), buf[:n]...):
		case <-ctx.Done():
			return
		}
	}
}

// close ends all attempts.
func (c *connector) close() {
	for _, e := range c.flying {
		_ = unix.Close(int(e.fd))
	}
	c.flying = nil
	_ = c.poll.Close()
}

// begin begins a connection; done says that it has ended already, with err.
func (c *connector) begin(e *entry, spec *discovery.CheckSpec) (done bool, err error) {
	target := e.check().Target
	fd, err := unix.Socket(familyOf(target.Addr()), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true, err
	}
	if spec.Mark != 0 || spec.Source.IsValid() {
		err = from(fd, spec)
	}
	if err == nil {
		err = unix.Connect(fd, sockaddrPort(target.Addr(), target.Port()))
	}
	if errors.Is(err, unix.EINPROGRESS) {
		if c.last++; c.last == 0 {
			c.last++ // after four thousand million attempts; 0 is none
		}
		e.fd, e.attempt = int32(fd), c.last
		c.flying[c.last] = e
		c.fresh = append(c.fresh, c.last)
		return false, nil
	}
	_ = unix.Close(fd)
	return true, err
}

// from sets where a connection comes from; see prepareDial.
func from(fd int, spec *discovery.CheckSpec) error {
	if err := prepareDial(fd, spec.Mark); err != nil {
		return err
	}
	if !spec.Source.IsValid() {
		return nil
	}
	if err := unix.Bind(fd, sockaddr(spec.Source)); err != nil {
		return &localError{fmt.Sprintf("source address %s", spec.Source), err}
	}
	return nil
}

// end takes an attempt out and gives what became of its connection.
func (c *connector) end(e *entry) error {
	n, err := unix.GetsockoptInt(int(e.fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && n != 0 {
		err = unix.Errno(n)
	}
	c.drop(e)
	return err
}

// expire ends an attempt whose time is over. The connection may have come about
// while the loop was busy.
func (c *connector) expire(e *entry) error {
	_, err := unix.Getpeername(int(e.fd))
	c.drop(e)
	if err != nil {
		return context.DeadlineExceeded
	}
	return nil
}

// drop ends an attempt without asking.
func (c *connector) drop(e *entry) {
	_ = unix.Close(int(e.fd))
	delete(c.flying, e.attempt)
	e.attempt = 0
}

// connect begins an attempt that only connects. While it is under way the entry
// is in the heap with the end of its time.
func (r *runner) connect(e *entry, spec *discovery.CheckSpec) {
	now := time.Now()
	r.flying++
	e.delayed = false
	done, err := r.connector.begin(e, spec)
	if done {
		r.finish(result{e, now, time.Since(now), Note{}, err})
		return
	}
	e.due = r.at(now) + spec.Timeout
	heap.Push(&r.heap, e)
}

// settle ends those attempts that have come about while others were begun, as
// most do that go to a host nearby, and has the others watched. It reports
// whether any has ended.
func (r *runner) settle() (ended bool) {
	c := r.connector
	if c == nil || len(c.fresh) == 0 {
		return false
	}
	var fresh []*entry
	var fds []unix.PollFd
	for _, attempt := range c.fresh {
		if e := c.flying[attempt]; e != nil {
			fresh, fds = append(fresh, e), append(fds, unix.PollFd{Fd: e.fd, Events: unix.POLLOUT})
		}
	}
	c.fresh = c.fresh[:0]
	_, _ = unix.Poll(fds, 0) // when it fails, all are watched
	for i, e := range fresh {
		if fds[i].Revents != 0 {
			r.ended(e, c.end(e))
			ended = true
			continue
		}
		ev := unix.EpollEvent{Events: unix.EPOLLOUT | unix.EPOLLONESHOT, Fd: int32(e.attempt)}
		if err := unix.EpollCtl(c.fd, unix.EPOLL_CTL_ADD, int(e.fd), &ev); err != nil {
			c.drop(e)
			r.ended(e, &localError{"watch a connection", err})
			ended = true
		}
	}
	return ended
}

// connected takes what the connector has to tell.
func (r *runner) connected(events []unix.EpollEvent) {
	for _, ev := range events {
		if e := r.connector.flying[uint32(ev.Fd)]; e != nil {
			r.ended(e, r.connector.end(e))
		}
	}
}

// ended takes an attempt that only connects out of the heap, and its result.
func (r *runner) ended(e *entry, err error) {
	heap.Remove(&r.heap, int(e.place))
	start := r.began.Add(e.due - e.check().Spec().Timeout)
	r.finish(result{e, start, time.Since(start), Note{}, err})
}
