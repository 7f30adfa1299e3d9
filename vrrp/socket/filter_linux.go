package socket

import (
	"encoding/binary"

	"golang.org/x/net/bpf"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Offsets of the VRRP message (vrrp.Advert).
const (
	offVRID      = 1
	offAddresses = 8
	ahLen        = 24
)

const accept = 0xffff

// filter passes packets with our VRID or with our first address as their first.
// The kernel hands a raw IPv4 socket's filter the IP header too, a raw IPv6
// socket's only the payload.
func filter(cfg vrrp.Config) ([]bpf.RawInstruction, error) {
	first := cfg.Addresses[0].Prefix.Addr()
	var program []bpf.Instruction
	if cfg.IPv4() {
		base := uint32(0)
		program = append(program, bpf.LoadMemShift{Off: 0}) // X = length of the IP header
		if cfg.Auth.Type == vrrp.AuthAH {
			base = ahLen
			program = append(program, // the protocol inside: other users of AH are not ours
				bpf.LoadIndirect{Off: 0, Size: 1},
				bpf.JumpIf{Cond: bpf.JumpEqual, Val: vrrp.ProtocolVRRP, SkipTrue: 1},
				bpf.RetConstant{Val: 0})
		}
		ip := first.As4()
		program = append(program,
			bpf.LoadIndirect{Off: base + offVRID, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(cfg.VRID), SkipTrue: 2},
			bpf.LoadIndirect{Off: base + offAddresses, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(ip[:]), SkipTrue: 1},
			bpf.RetConstant{Val: accept},
			bpf.RetConstant{Val: 0})
		return bpf.Assemble(program)
	}
	ip := first.As16()
	program = append(program,
		bpf.LoadAbsolute{Off: offVRID, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(cfg.VRID), SkipTrue: 8})
	for i := uint32(0); i < 4; i++ {
		program = append(program,
			bpf.LoadAbsolute{Off: offAddresses + 4*i, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(ip[4*i:]), SkipTrue: uint8(7 - 2*i)})
	}
	program = append(program, bpf.RetConstant{Val: accept}, bpf.RetConstant{Val: 0})
	return bpf.Assemble(program)
}
