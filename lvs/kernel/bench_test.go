//go:build linux

package kernel

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/mdlayher/netlink"
)

// echo answers every request with success: what is left is our own work.
type echo struct{ seqs []uint32 }

func (e *echo) Close() error                        { return nil }
func (e *echo) Send(m netlink.Message) error        { return e.SendMessages([]netlink.Message{m}) }
func (e *echo) Receive() ([]netlink.Message, error) { return nil, nil }

func (e *echo) SendMessages(msgs []netlink.Message) error {
	for _, m := range msgs {
		if _, err := m.MarshalBinary(); err != nil {
			return err
		}
		if m.Header.Flags&netlink.Acknowledge != 0 {
			e.seqs = append(e.seqs, m.Header.Sequence)
		}
	}
	return nil
}

func (e *echo) ReceiveIter() iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) {
		seq := e.seqs[0]
		e.seqs = e.seqs[1:]
		yield(netlink.Message{Header: netlink.Header{Type: netlink.Error, Sequence: seq}, Data: make([]byte, 20)}, nil)
	}
}

// BenchmarkApply is the work on our side of one change, without the kernel's.
func BenchmarkApply(b *testing.B) {
	d := &Driver{cfg: Config{NoModules: true}, bulk: &pipe{conn: netlink.NewConn(&echo{}, 1)}, proven: map[string]bool{}}
	ops := adds(10000)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range d.Apply(b.Context(), ops) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(ops)), "ns/change")
}

// BenchmarkDecode is the work on our side of one real server of a dump.
func BenchmarkDecode(b *testing.B) {
	object := (&socket{stats: lvs.Stats{Active: 1}}).destObject(adds(1)[0].Dest)[4:]
	object = binary.NativeEndian.AppendUint16(object, 4) // an attribute that we do not know
	object = binary.NativeEndian.AppendUint16(object, 99)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := decodeDest(object, 2); err != nil {
			b.Fatal(err)
		}
	}
}

// replay answers each dump with what was prepared for it, 32 KiB a datagram.
type replay struct {
	dumps [][]byte // each the messages of one, as they come from the socket
	next  int      // dump
	rest  []byte   // of the one that is read
	seq   uint32
}

func (r *replay) Close() error                         { return nil }
func (r *replay) SendMessages([]netlink.Message) error { panic("not a dump") }
func (r *replay) Receive() ([]netlink.Message, error)  { panic("not by message") }
func (r *replay) Send(m netlink.Message) error {
	r.rest, r.seq = r.dumps[r.next], m.Header.Sequence
	r.next++
	return nil
}

func (r *replay) ReceiveIter() iter.Seq2[netlink.Message, error] { panic("not by message") }

// read is recvmsg: as many whole messages as there is room for.
func (r *replay) read(room []byte) (n int, err error) {
	for len(r.rest) > 0 {
		size := int(binary.NativeEndian.Uint32(r.rest))
		if n+size > len(room) {
			break
		}
		copy(room[n:], r.rest[:size])
		binary.NativeEndian.PutUint32(room[n+8:], r.seq)
		n, r.rest = n+size, r.rest[size:]
	}
	return n, nil
}

// dumpOf makes the messages of a dump.
func dumpOf(objects [][]byte) (out []byte) {
	for _, o := range append(objects, nil) {
		typ, n := uint16(20), 20+len(o)
		if o == nil {
			typ = uint16(netlink.Done)
		}
		out = binary.NativeEndian.AppendUint32(out, uint32(n))
		out = binary.NativeEndian.AppendUint16(out, typ)
		out = append(out, make([]byte, 14)...)
		out = append(out, o...)
	}
	return out
}

// BenchmarkTable is the work on our side of one reading of the whole table,
// without the kernel's.
func BenchmarkTable(b *testing.B) {
	for _, shape := range []struct{ services, servers int }{{100, 1000}, {1000, 10}} {
		b.Run(fmt.Sprintf("%dx%d", shape.services, shape.servers), func(b *testing.B) {
			s := &replay{dumps: make([][]byte, 1)}
			var services [][]byte
			ops := adds(shape.servers)
			for n := range shape.services {
				key := lvs.Key{Protocol: lvs.TCP, Addr: vip, Port: uint16(1000 + n)}
				services = append(services, serviceObject(lvs.Service{Key: key, Scheduler: "wrr"}))
				var dests [][]byte
				for _, op := range slices.Backward(ops) { // the kernel puts a new one in front
					dests = append(dests, (&socket{}).destObject(op.Dest))
				}
				s.dumps = append(s.dumps, dumpOf(dests))
			}
			s.dumps[0] = dumpOf(services)
			d := &Driver{cfg: Config{NoModules: true}, bulk: &pipe{conn: netlink.NewConn(s, 1), read: s.read}}
			b.ReportAllocs()
			for b.Loop() {
				s.next = 0
				o, err := d.Table(b.Context())
				if err != nil || len(o.Table) != shape.services {
					b.Fatal(len(o.Table), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(shape.services*shape.servers), "ns/server")
		})
	}
}
