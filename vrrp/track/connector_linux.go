package track

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The process connector, linux/connector.h and linux/cn_proc.h.
const (
	cnIdxProc       = 1
	cnValProc       = 1
	procListen      = 1
	nlHeader        = 16
	cnHeader        = 20
	procHeader      = 16 // what, cpu, timestamp
	procNone        = 0x00000000
	procFork        = 0x00000001
	procExec        = 0x00000002
	procComm        = 0x00000200
	procExit        = 0x80000000
	connectorAnswer = time.Second
)

// change is a process that came, became something else, or went; or lost: some
// were not told.
type change struct {
	pid  int
	gone bool
	lost bool
}

// connector tells which processes come and go.
type connector struct {
	changes chan change
	file    *os.File
	done    chan struct{}
	wg      sync.WaitGroup
}

// errNoAnswer: outside the initial namespaces the kernel takes the request and
// stays silent.
var errNoAnswer = errors.New("the process connector does not answer")

// openConnector asks the kernel. It fails where that is not permitted.
func openConnector() (*connector, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, fmt.Errorf("open process connector: %w", err)
	}
	c := &connector{changes: make(chan change, 64), file: os.NewFile(uintptr(fd), "connector"), done: make(chan struct{})}
	if err := c.listen(fd); err != nil {
		return nil, errors.Join(fmt.Errorf("listen to process connector: %w", err), c.file.Close())
	}
	c.wg.Go(c.read)
	return c, nil
}

// listen joins the group and waits for the kernel's answer.
func (c *connector) listen(fd int) error {
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIdxProc}); err != nil {
		return err
	}
	request := make([]byte, 0, nlHeader+cnHeader+4)
	order := binary.NativeEndian
	request = order.AppendUint32(request, nlHeader+cnHeader+4)
	request = order.AppendUint16(request, unix.NLMSG_DONE)
	request = append(request, make([]byte, 10)...) // flags, sequence, port
	request = order.AppendUint32(request, cnIdxProc)
	request = order.AppendUint32(request, cnValProc)
	request = append(request, make([]byte, 8)...) // sequence, ack
	request = order.AppendUint16(request, 4)      // length of what follows
	request = append(request, 0, 0)
	request = order.AppendUint32(request, procListen)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	if err := c.file.SetReadDeadline(time.Now().Add(connectorAnswer)); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	n, err := c.file.Read(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errNoAnswer
	}
	if err != nil {
		return err
	}
	if what, data, ok := event(buf[:n]); ok && what == procNone && len(data) >= 4 {
		if code := order.Uint32(data); code != 0 {
			return unix.Errno(code)
		}
	}
	return c.file.SetReadDeadline(time.Time{})
}

// event takes a message apart.
func event(b []byte) (what uint32, data []byte, ok bool) {
	if len(b) < nlHeader+cnHeader+procHeader {
		return 0, nil, false
	}
	order := binary.NativeEndian
	cn := b[nlHeader:]
	if order.Uint32(cn) != cnIdxProc || order.Uint32(cn[4:]) != cnValProc {
		return 0, nil, false
	}
	return order.Uint32(cn[cnHeader:]), cn[cnHeader+procHeader:], true
}

// changeOf says what an event means for the processes; threads are none.
func changeOf(b []byte) (change, bool) {
	what, data, ok := event(b)
	order := binary.NativeEndian
	at := 0
	if what == procFork {
		at = 8 // the child comes after its parent
	}
	if !ok || len(data) < at+8 {
		return change{}, false
	}
	pid, group := order.Uint32(data[at:]), order.Uint32(data[at+4:])
	switch what {
	case procFork, procExec, procComm, procExit:
		return change{pid: int(pid), gone: what == procExit}, pid == group
	}
	return change{}, false
}

// read passes events on until the connector is closed or fails, and then closes
// changes.
func (c *connector) read() {
	defer close(c.changes)
	buf := make([]byte, 4096)
	for {
		n, err := c.file.Read(buf)
		news, ok := changeOf(buf[:max(n, 0)])
		if errors.Is(err, unix.ENOBUFS) {
			news, ok, err = change{lost: true}, true, nil
		}
		if err != nil {
			return
		}
		if !ok {
			continue
		}
		select {
		case c.changes <- news:
		case <-c.done:
			return
		}
	}
}

// close ends the connector and waits for it.
func (c *connector) close() {
	close(c.done)
	_ = c.file.Close() // nothing is written
	c.wg.Wait()
}
