package metrics

import (
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/discovery"
)

var (
	poolFallback = desc("pool_fallback_answers", "Whether the fallback serves, because the pool has lost its quorum. Only where there is a fallback.", "pool")
	inPackets    = desc("server_incoming_packets_total", "Packets to the real server since it was added to the kernel's table.", "pool", "remote_address", "remote_port")
	outPackets   = desc("server_outgoing_packets_total", "Packets from the real server since it was added to the kernel's table; none with direct routing and tunnels.", "pool", "remote_address", "remote_port")
	poolSorry    = desc("pool_sorry_server_answers", "Whether the sorry server serves, because the pool has lost its quorum. Only where there is a sorry server.", "pool")
)

// substitutes tells who serves in the place of the pool.
func (e emitter) substitutes(p control.Pool) {
	if p.Fallback != nil {
		e.flag(poolFallback, p.Answers == discovery.TheFallback, p.Name)
	}
	if p.Sorry != nil {
		e.flag(poolSorry, p.Answers == discovery.TheSorry, p.Name)
	}
}
