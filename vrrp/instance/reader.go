package instance

import (
	"errors"
	"net"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// frame carries one received packet, or a receive error, to the loop and goes
// back to the reader. The slices of packet point into buf.
type frame struct {
	buf    [2048]byte
	packet vrrp.Packet
	err    error
}

// frames is how many packets may wait for the loop. When all are waiting, the
// reader stops reading and the kernel's socket buffer fills instead.
const frames = 64

// errorPause keeps a socket that only returns errors from spinning.
const errorPause = 100 * time.Millisecond

// reader reads one Conn until it is closed.
type reader struct {
	conn    Conn
	packets chan *frame
	free    chan *frame
	done    chan struct{}
}

func startReader(conn Conn) *reader {
	rd := &reader{
		conn:    conn,
		packets: make(chan *frame, frames),
		free:    make(chan *frame, frames),
		done:    make(chan struct{}),
	}
	go rd.run()
	return rd
}

func (rd *reader) run() {
	defer close(rd.packets)
	made := 0
	for {
		var f *frame
		select {
		case f = <-rd.free:
		default:
			if made < frames { // most routers never need more than one or two
				f = new(frame)
				made++
				break
			}
			select {
			case f = <-rd.free:
			case <-rd.done:
				return
			}
		}
		f.packet, f.err = rd.conn.Receive(f.buf[:])
		if errors.Is(f.err, net.ErrClosed) {
			return
		}
		rd.packets <- f // never blocks: there are as many places as frames
		if _, isDrop := errors.AsType[vrrp.Drop](f.err); f.err != nil && !isDrop {
			select {
			case <-time.After(errorPause):
			case <-rd.done:
				return
			}
		}
	}
}

// stop closes the Conn and waits for the goroutine.
func (rd *reader) stop() error {
	close(rd.done)
	err := rd.conn.Close()
	for range rd.packets {
	}
	return err
}
