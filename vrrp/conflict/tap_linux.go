package conflict

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
	"github.com/edgekeeper/edgekeeper/vrrp/socket"
)

// tap hears adverts of our virtual router that come as the other IP protocol:
// with an authentication header where we use none, without where we do.
type tap struct {
	cfg     socket.Config
	deliver func(instance.Sighting)
}

// newTap gives nil where there is no other protocol.
func newTap(cfg Config, deliver func(instance.Sighting)) *tap {
	v := cfg.VRRP.WithDefaults()
	if v.Version != vrrp.V2 || !v.IPv4() {
		return nil
	}
	if v.Auth.Type == vrrp.AuthAH {
		v.Auth = vrrp.Auth{}
	} else {
		v.Auth = vrrp.Auth{Type: vrrp.AuthAH, Secret: "x"} // says the protocol; nothing is checked
	}
	return &tap{socket.Config{Interface: cfg.Interface, Source: cfg.Source, VRRP: v}, deliver}
}

// listen reads until ctx ends or the interface does.
func (t *tap) listen(ctx context.Context) error {
	conn, err := socket.Open(t.cfg)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	buf := make([]byte, 2048)
	for {
		p, err := conn.Receive(buf)
		if _, isDrop := errors.AsType[vrrp.Drop](err); isDrop {
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listen for other authentication: %w", err)
		}
		if p.Source == conn.Source() {
			continue
		}
		if name, ours := authOf(p, t.cfg.VRRP.VRID); ours {
			t.deliver(instance.Sighting{Kind: instance.OtherAuth, Source: p.Source, Auth: name, At: time.Now()})
		}
	}
}

// ahLen is the length of an authentication header with HMAC-MD5-96.
const ahLen = 24

// authOf gives the authentication type of an advert of the virtual router.
func authOf(p vrrp.Packet, vrid uint8) (string, bool) {
	m := p.Payload
	if p.Protocol == vrrp.ProtocolAH {
		if len(m) < ahLen || m[0] != vrrp.ProtocolVRRP {
			return "", false
		}
		m = m[ahLen:]
	}
	if len(m) < 8 || m[1] != vrid {
		return "", false
	}
	if p.Protocol == vrrp.ProtocolAH {
		return vrrp.AuthAH.String(), true
	}
	return vrrp.AuthType(m[4]).String(), true
}
