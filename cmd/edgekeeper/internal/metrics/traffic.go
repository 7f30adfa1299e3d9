package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

var (
	poolActive      = desc("pool_active_connections", "Active connections of all real servers in the kernel's table.", "pool")
	poolInactive    = desc("pool_inactive_connections", "Inactive connections of all real servers in the kernel's table.", "pool")
	poolConnections = desc("pool_connections_total", "Connections since the virtual server was added to the kernel's table.", "pool")
	poolInPackets   = desc("pool_incoming_packets_total", "Packets to the virtual server since it was added to the kernel's table.", "pool")
	poolOutPackets  = desc("pool_outgoing_packets_total", "Packets from the virtual server since it was added to the kernel's table; none with direct routing and tunnels.", "pool")
	poolInBytes     = desc("pool_incoming_bytes_total", "Bytes to the virtual server since it was added to the kernel's table.", "pool")
	poolOutBytes    = desc("pool_outgoing_bytes_total", "Bytes from the virtual server since it was added to the kernel's table; none with direct routing and tunnels.", "pool")

	poolRates   = rates("pool_", "virtual server", "pool")
	serverRates = rates("server_", "real server", "pool", "remote_address", "remote_port")
)

// rate is one of the kernel's own averages.
type rate struct {
	desc  *prometheus.Desc
	value func(control.Rates) float64
}

// rates describes the kernel's averages for a kind of object.
func rates(prefix, of string, labels ...string) []rate {
	help := func(what string) string {
		return what + " the " + of + " per second, the kernel's average over the last seconds."
	}
	return []rate{
		{desc(prefix+"connections_per_second", help("Connections to"), labels...), func(r control.Rates) float64 { return float64(r.Connections) }},
		{desc(prefix+"incoming_packets_per_second", help("Packets to"), labels...), func(r control.Rates) float64 { return float64(r.InPackets) }},
		{desc(prefix+"outgoing_packets_per_second", help("Packets from"), labels...), func(r control.Rates) float64 { return float64(r.OutPackets) }},
		{desc(prefix+"incoming_bytes_per_second", help("Bytes to"), labels...), func(r control.Rates) float64 { return float64(r.InBytes) }},
		{desc(prefix+"outgoing_bytes_per_second", help("Bytes from"), labels...), func(r control.Rates) float64 { return float64(r.OutBytes) }},
	}
}

func (e emitter) rates(list []rate, r control.Rates, labels ...string) {
	for _, x := range list {
		e.gauge(x.desc, x.value(r), labels...)
	}
}

// traffic tells what the kernel counts for the virtual server.
func (e emitter) traffic(p control.Pool) {
	k := p.Kernel
	if k == nil {
		return
	}
	e.gauge(poolActive, float64(k.Active), p.Name)
	e.gauge(poolInactive, float64(k.Inactive), p.Name)
	e.counter(poolConnections, k.Connections, p.Name)
	e.counter(poolInPackets, k.InPackets, p.Name)
	e.counter(poolOutPackets, k.OutPackets, p.Name)
	e.counter(poolInBytes, k.InBytes, p.Name)
	e.counter(poolOutBytes, k.OutBytes, p.Name)
	e.rates(poolRates, k.Rates, p.Name)
}
