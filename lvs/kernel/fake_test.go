//go:build linux

package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/cloudflare/ipvs"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// socket is a netlink socket with the strict fake kernel behind it. Like the
// real one it works through all that is sent before the send returns, and has
// room for so many answers.
type socket struct {
	kernel lvstest.Kernel
	stats  lvs.Stats // of every real server

	refuse func(lvs.Op) unix.Errno // before the kernel is asked
	each   func(lvs.Op)            // after each op
	list   unix.Errno              // of GET_SERVICE
	cut    int                     // so many dumps are interrupted
	room   int                     // for answers; 0: enough
	stray  bool                    // an answer to something older comes first

	queue   [][]netlink.Message // datagrams to receive
	overrun bool
	sends   []int // messages per send
	closed  bool
}

var errnos = map[error]unix.Errno{
	lvs.ErrExists: unix.EEXIST, lvs.ErrNoService: unix.ESRCH, lvs.ErrNotFound: unix.ENOENT, lvs.ErrNoScheduler: unix.ENOENT,
	lvstest.ErrRange: unix.ERANGE, lvstest.ErrInvalid: unix.EINVAL,
}

func (s *socket) Close() error { s.closed = true; return nil }

func (s *socket) Send(m netlink.Message) error { return s.SendMessages([]netlink.Message{m}) }

func (s *socket) SendMessages(msgs []netlink.Message) error {
	s.sends = append(s.sends, len(msgs))
	for i, m := range msgs {
		if m.Header.Flags&netlink.Dump == netlink.Dump {
			s.dump(m)
			continue
		}
		if s.stray && i == 0 {
			s.answer(m.Header.Sequence-1, unix.EIO)
		}
		if e := s.do(m); e != 0 || m.Header.Flags&netlink.Acknowledge != 0 {
			s.answer(m.Header.Sequence, e)
		}
	}
	return nil
}

// answer queues an acknowledgement (struct nlmsgerr), if there is room.
func (s *socket) answer(seq uint32, e unix.Errno) {
	if s.room > 0 && len(s.queue) >= s.room {
		s.overrun = true
		return
	}
	data := binary.NativeEndian.AppendUint32(nil, uint32(-int32(e)))
	s.queue = append(s.queue, []netlink.Message{{Header: netlink.Header{Type: netlink.Error, Sequence: seq, PID: 1}, Data: append(data, make([]byte, 16)...)}})
}

func (s *socket) do(m netlink.Message) unix.Errno {
	op, err := parseOp(m.Data)
	if err != nil {
		panic(err)
	}
	if s.refuse != nil {
		if e := s.refuse(op); e != 0 {
			return e
		}
	}
	err = s.kernel.Apply(context.Background(), []lvs.Op{op})[0]
	if s.each != nil {
		s.each(op)
	}
	for of, e := range errnos {
		if errors.Is(err, of) {
			return e
		}
	}
	if err != nil {
		panic(err)
	}
	return 0
}

// parseOp reads a request as the kernel would.
func parseOp(data []byte) (lvs.Op, error) {
	verbs := map[byte]lvs.Verb{cmdNewService: lvs.AddService, cmdSetService: lvs.SetService, cmdDelService: lvs.RemoveService,
		cmdNewDest: lvs.AddDest, cmdSetDest: lvs.SetDest, cmdDelDest: lvs.RemoveDest}
	verb, ok := verbs[data[0]]
	if !ok || data[1] != familyVersion {
		return lvs.Op{}, fmt.Errorf("command %d version %d", data[0], data[1])
	}
	op := lvs.Op{Verb: verb}
	err := each(data[4:], func(typ uint16, v []byte) error {
		switch typ {
		case attrService:
			s, err := decodeService(v)
			if err != nil && needsScheduler(op) {
				return err
			}
			op.Service = fromService(s.service)
		case attrDest:
			var err error
			op.Dest, _, err = decodeDest(v, 0)
			return err
		}
		return nil
	})
	return op, err
}

// dump queues the objects, two a datagram, and the end.
func (s *socket) dump(m netlink.Message) {
	header := netlink.Header{Type: m.Header.Type, Flags: netlink.Multi, Sequence: m.Header.Sequence, PID: 1}
	if m.Data[0] == cmdGetService && s.list != 0 {
		s.answer(m.Header.Sequence, s.list)
		return
	}
	o, err := s.kernel.Table(context.Background())
	if err != nil {
		panic(err)
	}
	var objects [][]byte
	if m.Data[0] == cmdGetService {
		for _, k := range o.Table.Keys() {
			objects = append(objects, serviceObject(o.Table[k].Service))
		}
	} else {
		var key lvs.Key
		if err := each(m.Data[4:], func(_ uint16, v []byte) error {
			e, _ := decodeService(v) // only its identity is there
			key = fromService(e.service).Key
			return nil
		}); err != nil {
			panic(err)
		}
		for _, d := range slices.Backward(o.Table[key].Dests) { // the kernel has no order either
			objects = append(objects, s.destObject(d))
		}
	}
	if s.cut > 0 {
		s.cut--
		header.Flags |= netlink.DumpInterrupted
	}
	for pair := range slices.Chunk(objects, 2) {
		var datagram []netlink.Message
		for _, b := range pair {
			datagram = append(datagram, netlink.Message{Header: header, Data: append([]byte{m.Data[0], 1, 0, 0}, b...)})
		}
		s.queue = append(s.queue, datagram)
	}
	header.Type = netlink.Done
	s.queue = append(s.queue, []netlink.Message{{Header: header, Data: make([]byte, 4)}})
}

// wide pads an address to the 16 bytes that the kernel sends.
func wide(b []byte) []byte { return append(b, make([]byte, 16-len(b))...) }

func serviceObject(svc lvs.Service) []byte {
	s := toService(svc)
	var a attributes
	at := a.open(attrService | 1<<15) // NLA_F_NESTED
	a.u16(svcFamily, uint16(s.Family))
	if s.FWMark != 0 {
		a.u32(svcMark, s.FWMark)
	} else {
		a.u16(svcProtocol, uint16(s.Protocol))
		a.bytes(svcAddr, wide(s.Address.AsSlice())...)
		a.port(svcPort, s.Port)
	}
	a.bytes(svcScheduler, append([]byte(s.Scheduler), 0)...)
	a.bytes(svcFlags, binary.NativeEndian.AppendUint64(nil, uint64(s.Flags|ipvs.ServiceHashed)|0xffffffff<<32)...)
	a.u32(svcTimeout, s.Timeout)
	if s.Family == ipvs.INET6 {
		a.u32(svcNetmask, uint32(s.Netmask.Bits()))
	} else {
		a.bytes(svcNetmask, s.Netmask.AsSlice()...)
	}
	if s.engine != "" {
		a.text(svcEngine, s.engine)
	}
	a.close(at)
	return a
}

func (s *socket) destObject(dst lvs.Dest) []byte {
	d := toDest(dst)
	var a attributes
	at := a.open(attrDest | 1<<15)
	a.bytes(destAddr, wide(d.Address.AsSlice())...)
	a.port(destPort, d.Port)
	a.u32(destForward, uint32(d.FwdMethod))
	a.u32(destWeight, d.Weight)
	a.u32(destUpper, d.UpperThreshold)
	a.u32(destLower, d.LowerThreshold)
	a.u32(destActive, s.stats.Active)
	a.u32(destInactive, s.stats.Inactive)
	a.u32(destPersistent, s.stats.Persistent)
	a.u16(destFamily, uint16(d.Family))
	a.bytes(destTunType, byte(d.TunnelType))
	a.port(destTunPort, d.TunnelPort)
	a.u16(destTunFlags, uint16(d.TunnelFlags))
	old := a.open(destStats)
	a.u32(statsConnections, uint32(s.stats.Connections))
	a.bytes(statsInBytes, binary.NativeEndian.AppendUint64(nil, s.stats.InBytes)...)
	a.close(old)
	wide := a.open(destStats64)
	for typ, v := range map[uint16]uint64{statsConnections: s.stats.Connections, statsInPackets: s.stats.InPackets,
		statsOutPackets: s.stats.OutPackets, statsInBytes: s.stats.InBytes, statsOutBytes: s.stats.OutBytes,
		statsConnRate: uint64(s.stats.Rates.Connections), statsInPktRate: uint64(s.stats.Rates.InPackets), statsOutPktRate: uint64(s.stats.Rates.OutPackets),
		statsInByteRate: s.stats.Rates.InBytes, statsOutByteRate: s.stats.Rates.OutBytes} {
		a.bytes(typ, binary.NativeEndian.AppendUint64(nil, v)...)
	}
	a.close(wide)
	a.close(at)
	return a
}

func (s *socket) Receive() ([]netlink.Message, error) { panic("the library iterates") }

func (s *socket) ReceiveIter() iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) {
		if s.overrun {
			s.overrun = false
			yield(netlink.Message{}, unix.ENOBUFS)
			return
		}
		if len(s.queue) == 0 {
			panic("nothing to receive: the real socket would wait for ever")
		}
		next := s.queue[0]
		s.queue = s.queue[1:]
		for _, m := range next {
			if !yield(m, nil) {
				return
			}
		}
	}
}

func (s *socket) pipe() *pipe {
	return &pipe{conn: netlink.NewConn(s, 1), family: 0x24, read: s.read}
}

// read is recvmsg.
func (s *socket) read(room []byte) (n int, err error) {
	for m, err := range s.ReceiveIter() {
		if err != nil {
			return 0, err
		}
		m.Header.Length = uint32(16+len(m.Data)+3) &^ 3
		b, err := m.MarshalBinary()
		if err != nil {
			panic(err)
		}
		n += copy(room[n:], b)
	}
	return n, nil
}

// batches gives the sizes of the sends since the last call.
func (s *socket) batches(t *testing.T) []int {
	t.Helper()
	out := s.sends
	s.sends = nil
	return out
}
