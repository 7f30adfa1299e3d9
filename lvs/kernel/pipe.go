//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// ErrNoAnswer is returned, wrapped with the cause, for an op that was sent and
// whose answer was lost on the way: it may or may not have been done. Reading
// the table tells.
var ErrNoAnswer = errors.New("the kernel's answer was lost, the change may be done")

// window is how many requests are in flight at once. The kernel works through
// all of a sendmsg(2) before the call returns, and queues the answers, so these
// must fit into the receive buffer: an answer is 36 bytes and counts as 768
// (skb->truesize), which makes 48 KiB of the default 208 when all have one.
const window = 64

// dumpBuffer is what a read of a dump asks for. The kernel makes the pieces of a
// dump as large as the largest read so far, up to 32 KiB (netlink_recvmsg), and
// IPVS finds its place in a virtual server anew for each piece.
const dumpBuffer = 32 << 10

// dumpTries is how often a dump that was interrupted is begun.
const dumpTries = 5

// pipe sends many IPVS requests at once on one netlink socket, and reads dumps.
//
// cloudflare/ipvs sends a request, waits for its answer, and sends the next:
// four system calls for a change. What it could offer instead, with the code of
// this file behind it, is
//
//	// Batch does the changes in order and returns their errors in the same
//	// places. A failed one does not stop those behind it.
//	func (c *client) Batch(ctx context.Context, changes []Change) []error
//
// with a Change of command, Service and Destination.
type pipe struct {
	conn   *netlink.Conn
	family uint16
	read   func(room []byte) (int, error) // one datagram of a dump
	room   [dumpBuffer]byte               // for it
}

// request is one IPVS command: the generic netlink header, and attributes.
type request = attributes

// newRequest begins one, with room for what a change takes.
func newRequest(command uint8) request {
	return append(make(request, 0, 192), command, familyVersion, 0, 0)
}

// openPipe finds the IPVS family; the error wraps fs.ErrNotExist without one.
func openPipe() (*pipe, error) {
	conn, err := netlink.Dial(genetlink.Protocol, &netlink.Config{MessageBufferSize: dumpBuffer})
	if err != nil {
		return nil, err
	}
	f, err := genetlink.NewConn(conn).GetFamily(familyName)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// An error need not repeat its request. Kernels before 4.3 do.
	if err := conn.SetOption(netlink.CapAcknowledge, true); err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
		return nil, errors.Join(err, conn.Close())
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &pipe{conn: conn, family: f.ID, read: reader(raw)}, nil
}

func (p *pipe) close() error {
	if p == nil {
		return nil
	}
	return p.conn.Close()
}

func (p *pipe) message(r request, flags netlink.HeaderFlags) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(p.family), Flags: netlink.Request | flags},
		Data:   r,
	}
}

// send does at most window requests, in order, and puts their errors in the
// same places. It reports whether the socket may be used again: after an answer
// was lost it may not.
//
// The kernel does the requests one after the other and answers those that fail,
// and those that ask for it (netlink_rcv_skb). Only the last asks, which spares
// most of the answers: when its answer has come, a request without one is done.
// No error can be lost in silence, for an answer that finds no room or no memory
// puts ENOBUFS on the socket at that moment, and so before the last answer is
// read (netlink_overrun, netlink_ack).
func (p *pipe) send(reqs []request, errs []error) (usable bool) {
	msgs := make([]netlink.Message, len(reqs))
	for i, r := range reqs {
		msgs[i] = p.message(r, 0)
	}
	msgs[len(msgs)-1].Header.Flags |= netlink.Acknowledge
	msgs, err := p.conn.SendMessages(msgs)
	if err != nil {
		// sendmsg(2) queues the whole datagram or nothing of it.
		for i := range errs {
			errs[i] = err
		}
		return !errors.Is(err, unix.EBADF)
	}
	first, last := msgs[0].Header.Sequence, uint32(len(reqs)-1)
	var failed [window]bool
	for {
		// Each answer is a datagram of its own, so an error hides no other answer.
		got, err := p.conn.Receive()
		var op *netlink.OpError
		if err != nil && !(errors.As(err, &op) && op.Sequence != 0) {
			// Not an answer but the socket's own error. ENOBUFS says that some
			// answers found no room, and not whose.
			for i := range errs {
				if !failed[i] {
					errs[i] = fmt.Errorf("%w: %w", ErrNoAnswer, err)
				}
			}
			return false
		}
		var seq uint32
		switch {
		case err != nil:
			seq = op.Sequence
		case len(got) > 0:
			seq = got[0].Header.Sequence
		default:
			continue
		}
		i := seq - first // wraps around as sequence numbers do
		if i > last {
			continue // of an earlier request
		}
		failed[i], errs[i] = err != nil, err
		if i == last {
			return true
		}
	}
}

// dump calls f with the attribute of that type in each object that a GET
// command lists. When the kernel says that the table changed under the dump, it
// begins again, and calls restart before.
func (p *pipe) dump(ctx context.Context, r request, typ uint16, restart func(), f func(attrs []byte) error) error {
	for range dumpTries {
		restart()
		interrupted, err := p.dumpOnce(r, typ, f)
		if err != nil || !interrupted {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return fmt.Errorf("dump was interrupted %d times: %w", dumpTries, unix.EINTR)
}
