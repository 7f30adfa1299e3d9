package lvs_test

import (
	"encoding"
	"errors"
	"testing"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Every name reads back as its value, and an unknown one says what is known.
func TestNames(t *testing.T) {
	type value interface {
		encoding.TextMarshaler
		String() string
	}
	for _, tt := range []struct {
		v    value
		into encoding.TextUnmarshaler
		text string
	}{
		{lvs.TCP, new(lvs.Protocol), "tcp"}, {lvs.UDP, new(lvs.Protocol), "udp"},
		{lvs.SCTP, new(lvs.Protocol), "sctp"}, {lvs.Protocol(0), new(lvs.Protocol), "-"},
		{lvs.IPv4, new(lvs.Family), "inet"}, {lvs.IPv6, new(lvs.Family), "inet6"}, {lvs.Family(0), new(lvs.Family), "-"},
		{lvs.DR, new(lvs.Forward), "dr"}, {lvs.NAT, new(lvs.Forward), "nat"}, {lvs.TUN, new(lvs.Forward), "tun"},
		{lvs.IPIP, new(lvs.TunnelType), "ipip"}, {lvs.GUE, new(lvs.TunnelType), "gue"}, {lvs.GRE, new(lvs.TunnelType), "gre"},
		{lvs.NoChecksum, new(lvs.TunnelChecksum), "nocsum"}, {lvs.Checksum, new(lvs.TunnelChecksum), "csum"},
		{lvs.RemoteChecksum, new(lvs.TunnelChecksum), "remcsum"},
		{lvs.AddService, new(lvs.Verb), "add-service"}, {lvs.SetService, new(lvs.Verb), "set-service"},
		{lvs.AddDest, new(lvs.Verb), "add-dest"}, {lvs.SetDest, new(lvs.Verb), "set-dest"},
		{lvs.RemoveDest, new(lvs.Verb), "remove-dest"}, {lvs.RemoveService, new(lvs.Verb), "remove-service"},
	} {
		b, err := tt.v.MarshalText()
		if err != nil || string(b) != tt.text || tt.v.String() != tt.text {
			t.Errorf("%T: text %q, %v, want %q", tt.v, b, err, tt.text)
		}
		if err := tt.into.UnmarshalText(b); err != nil {
			t.Errorf("%T: %v", tt.v, err)
		}
		back, err := tt.into.(encoding.TextMarshaler).MarshalText()
		if err != nil || string(back) != tt.text {
			t.Errorf("%T: %q read back as %q, %v", tt.v, tt.text, back, err)
		}
	}
	var f lvs.Forward
	err := f.UnmarshalText([]byte("dsr"))
	if !errors.Is(err, lvs.ErrUnknownName) || err.Error() != `forwarding method "dsr": unknown name, must be one of dr, nat, tun` {
		t.Errorf("error %v", err)
	}
	if lvs.Forward(99).String() != "99" {
		t.Errorf("unknown value %s", lvs.Forward(99))
	}
}
