package guardian

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// message is what one frame carries, with exactly one field set: a request of
// the keeper, or a reply of the guardian. Each request is answered by one reply,
// in order; Bye is not answered.
type message struct {
	Hello  *hello  `json:"hello,omitempty"`
	Arm    *Arm    `json:"arm,omitempty"`
	Renew  *renew  `json:"renew,omitempty"`
	Disarm *string `json:"disarm,omitempty"` // the instance
	Ping   bool    `json:"ping,omitempty"`
	Bye    bool    `json:"bye,omitempty"`
	Reply  *reply  `json:"reply,omitempty"`
}

// hello is the first request.
type hello struct {
	Lock   string `json:"lock"`   // path of the file to lock
	Parent int    `json:"parent"` // process id of the director
}

// renew replaces the packets of an Arm, and nothing else: those that were signed
// before the last advert would be refused after it.
type renew struct {
	Instance string   `json:"instance"`
	Packets  []Packet `json:"packets"`
}

// reply answers the request before it. An error of an Arm says what of it
// cannot be done.
type reply struct {
	Error string `json:"error,omitempty"`
}

// Arm is everything that the guardian does for one virtual router when the
// director dies. It replaces the Arm of the same instance.
type Arm struct {
	Instance  string    `json:"instance"`
	Interface string    `json:"interface"` // adverts go out there
	Addresses []Address `json:"addresses"` // to be taken off
	// VMACs are the macvlan interfaces that the addresses are on, to be set down.
	VMACs []string `json:"vmacs,omitempty"`
	// NoAccept says that packets to the addresses are dropped, which is to end.
	NoAccept bool `json:"no_accept,omitempty"`
	// Routes and Rules are taken off before the addresses.
	Routes []vrrp.Route `json:"routes,omitempty"`
	Rules  []vrrp.Rule  `json:"rules,omitempty"`
	// Source is the address in the adverts, Packets the priority-0 adverts as
	// vrrp.Codec.Encode makes them. No packets: addresses only.
	Source  netip.Addr `json:"source"`
	Packets []Packet   `json:"packets,omitempty"`
	// TTL of packets to unicast peers; it counts for IPv6, where Packets have no
	// IP header. Default 255.
	TTL uint8 `json:"ttl,omitempty"`
	// Within is how old the director's death may be for the adverts to be sent:
	// later, another router may be master.
	Within time.Duration `json:"within_ns"`
}

// unicastTTL is 0 when the packets go to a group.
func (a *Arm) unicastTTL() uint8 {
	switch {
	case a.Packets[0].To.IsMulticast():
		return 0
	case a.TTL == 0:
		return vrrp.TTL
	}
	return a.TTL
}

// renewedBy reports whether b differs from what was told before in the content of
// its packets only.
func (a *Arm) renewedBy(b *Arm) bool {
	if a == nil || len(b.Packets) == 0 || !slices.EqualFunc(a.Packets, b.Packets, func(x, y Packet) bool { return x.To == y.To }) {
		return false
	}
	x, y := *a, *b
	x.Packets, y.Packets = nil, nil
	return reflect.DeepEqual(x, y)
}

// Address is a virtual address and where it is.
type Address struct {
	Device string       `json:"device"`
	Prefix netip.Prefix `json:"prefix"`
}

// Packet is one advert and where it goes.
type Packet struct {
	To   netip.Addr `json:"to"`
	Data []byte     `json:"data"`
}

func (p Packet) incomplete() bool { return len(p.Data) == 0 || !p.To.IsValid() }

// maxFrame bounds a frame: 255 adverts of the largest size, in base64, fit.
const maxFrame = 1 << 20

// errFrame says that what came is no frame of this protocol.
var errFrame = errors.New("malformed frame")

// appendFrame appends a message with its length, 4 bytes big endian, before it.
func appendFrame(b []byte, m message) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return b, fmt.Errorf("encode frame: %w", err)
	}
	if len(body) > maxFrame {
		return b, fmt.Errorf("encode frame: %d bytes are more than %d", len(body), maxFrame)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...), nil
}

// decoder takes a stream apart into messages.
type decoder struct{ buf []byte }

// feed adds what was read.
func (d *decoder) feed(b []byte) { d.buf = append(d.buf, b...) }

// next gives the next whole message. Without one it reports false: more must be
// read. The error wraps errFrame; nothing that follows can be trusted then.
func (d *decoder) next() (m message, ok bool, err error) {
	if len(d.buf) < 4 {
		return m, false, nil
	}
	size := binary.BigEndian.Uint32(d.buf)
	if size > maxFrame {
		return m, false, fmt.Errorf("%w of %d bytes", errFrame, size)
	}
	if uint32(len(d.buf)-4) < size {
		return m, false, nil
	}
	body := d.buf[4 : 4+size]
	if err := json.Unmarshal(body, &m); err != nil {
		return m, false, fmt.Errorf("%w: %w", errFrame, err)
	}
	if err := m.validate(); err != nil {
		return m, false, fmt.Errorf("%w: %w", errFrame, err)
	}
	d.buf = append(d.buf[:0], d.buf[4+size:]...)
	return m, true, nil
}

// validate checks that a message has one meaning, and that an Arm has what
// acting on it needs.
func (m message) validate() error {
	n := 0
	for _, set := range []bool{m.Hello != nil, m.Arm != nil, m.Renew != nil, m.Disarm != nil, m.Ping, m.Bye, m.Reply != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("%d meanings", n)
	}
	if r := m.Renew; r != nil {
		if r.Instance == "" || len(r.Packets) == 0 || slices.ContainsFunc(r.Packets, Packet.incomplete) {
			return errors.New("incomplete renewal")
		}
	}
	a := m.Arm
	if a == nil {
		return nil
	}
	if a.Instance == "" || len(a.Addresses) == 0 || a.Within < 0 {
		return errors.New("incomplete arm")
	}
	for _, addr := range a.Addresses {
		if addr.Device == "" || !addr.Prefix.IsValid() {
			return errors.New("arm with an address that is none")
		}
	}
	for _, r := range a.Routes {
		if !r.Destination.IsValid() {
			return errors.New("arm with a route that goes nowhere")
		}
	}
	for _, p := range a.Packets {
		if a.Interface == "" || p.incomplete() || p.To.Is4() != a.Source.Is4() || !a.Source.IsValid() {
			return errors.New("arm with a packet that goes nowhere")
		}
	}
	return nil
}
