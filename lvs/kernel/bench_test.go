//go:build linux

package kernel

import (
	"encoding/binary"
	"iter"
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
		if _, err := decodeDest(object, 2); err != nil {
			b.Fatal(err)
		}
	}
}
