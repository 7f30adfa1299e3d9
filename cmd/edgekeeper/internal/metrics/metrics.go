// Package metrics renders the director's state for Prometheus. Everything is
// computed from one snapshot at scrape time, so a real server that is gone
// leaves no stale series.
package metrics

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/version"
)

// Source gives the state to render.
type Source func(context.Context) (control.Snapshot, error)

// scrapeTime bounds how long a scrape waits for the director.
const scrapeTime = 5 * time.Second

// New returns a registry that renders what source says at each scrape.
func New(source Source) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(&collector{source})
	return r
}

type collector struct{ source Source }

var (
	up            = desc("up", "Whether the director answered this scrape.")
	buildInfo     = desc("build_info", "Always 1; the labels tell the build.", "version", "revision", "goversion")
	configRefused = desc("config_refused", "Whether the newest configuration was refused.")
	configLoaded  = desc("config_loaded_timestamp_seconds", "When the configuration in force was taken.")

	poolServers = desc("pool_servers", "Real servers of the pool, by state.", "pool", "state")
	poolHeld    = desc("pool_held", "Whether the pool is held by the mass-removal guard.", "pool")
	poolPanic   = desc("pool_panic", "Whether the pool is in panic.", "pool")
	poolQuorum  = desc("pool_quorum_lost", "Whether the pool has lost its quorum.", "pool")
	weight      = desc("server_weight", "Weight in the kernel's table.", "pool", "remote_address", "remote_port")
	active      = desc("server_active_connections", "Active connections in the kernel's table.", "pool", "remote_address", "remote_port")
	inactive    = desc("server_inactive_connections", "Inactive connections in the kernel's table.", "pool", "remote_address", "remote_port")
	connections = desc("server_connections_total", "Connections since the real server was added to the kernel's table.", "pool", "remote_address", "remote_port")
	inBytes     = desc("server_incoming_bytes_total", "Bytes to the real server since it was added to the kernel's table.", "pool", "remote_address", "remote_port")
	outBytes    = desc("server_outgoing_bytes_total", "Bytes from the real server since it was added to the kernel's table.", "pool", "remote_address", "remote_port")

	inSync = desc("ipvs_in_sync", "Whether the kernel's table is what is wanted.")
	ops    = desc("ipvs_changes_total", "Changes applied to the kernel's table.", "op")
	drift  = desc("ipvs_drift_repaired_total", "Changes that repaired somebody else's.")

	sourceUp    = desc("source_up", "Whether the source of the query answers.", "source", "query")
	sourceCount = desc("source_instances", "Instances in the last good answer.", "source", "query")
	kvUp        = desc("kv_up", "Whether the KV answers.")
	kvKeys      = desc("kv_keys", "Keys below the prefix.")
	kvKept      = desc("kv_kept", "Keys that the KV has lost, and whose values stand.")
	kvRefused   = desc("kv_refused", "Keys whose value changes nothing because it is wrong.")

	notifyDelivered = desc("notify_delivered_total", "Events delivered to the target.", "target")
	notifyFailed    = desc("notify_failed_total", "Events that the target was not told.", "target")
	notifyQueued    = desc("notify_queued", "Events that wait for the target.", "target")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, e := range catalogue {
		out <- e.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	e := emitter{out}
	build := version.Get()
	e.gauge(buildInfo, 1, build.Version, build.Revision, build.Go)
	s, err := c.source(ctx)
	e.flag(up, err == nil)
	if err != nil {
		return
	}
	e.flag(configRefused, s.Config.Refused != "")
	e.gauge(configLoaded, float64(s.Config.LoadedAt.UnixMilli())/1000)
	for _, r := range s.VRRP {
		e.router(r)
	}
	for _, g := range s.Groups {
		e.group(g)
	}
	e.guardian(s.Guardian)
	e.process(s.Process)
	for _, t := range s.Trackers {
		e.tracker(t)
	}
	for _, p := range s.Pools {
		e.pool(p)
	}
	e.flag(inSync, s.IPVS.InSync)
	for verb, n := range s.IPVS.Ops {
		e.counter(ops, n, verb)
	}
	e.counter(drift, s.IPVS.Drift)
	for _, src := range s.Sources {
		e.flag(sourceUp, src.Error == "", src.Source, src.Query)
		e.gauge(sourceCount, float64(src.Instances), src.Source, src.Query)
	}
	e.flag(kvUp, s.KV.Error == "")
	e.gauge(kvKeys, float64(s.KV.Keys))
	e.gauge(kvKept, float64(len(s.KV.Kept)))
	e.gauge(kvRefused, float64(len(s.KV.Rejected)))
	for _, n := range s.Notify {
		e.counter(notifyDelivered, n.Delivered, n.Name)
		e.counter(notifyFailed, n.Failed, n.Name)
		e.gauge(notifyQueued, float64(n.Queued), n.Name)
	}
}

type emitter struct{ out chan<- prometheus.Metric }

func (e emitter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	e.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (e emitter) counter(d *prometheus.Desc, v uint64, labels ...string) {
	e.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func (e emitter) flag(d *prometheus.Desc, on bool, labels ...string) {
	v := 0.0
	if on {
		v = 1
	}
	e.gauge(d, v, labels...)
}

func (e emitter) pool(p control.Pool) {
	e.flag(poolHeld, p.Held != "", p.Name)
	e.flag(poolPanic, p.Panic, p.Name)
	e.flag(poolQuorum, p.QuorumLost, p.Name)
	states := map[string]int{}
	for _, s := range p.Servers {
		states[s.State.String()]++
	}
	for _, s := range p.Everybody() {
		if k := s.Kernel; k != nil {
			l := []string{p.Name, s.Addr.Addr().String(), portText(s.Addr.Port())}
			e.gauge(weight, float64(k.Weight), l...)
			e.gauge(active, float64(k.Active), l...)
			e.gauge(inactive, float64(k.Inactive), l...)
			e.counter(connections, k.Connections, l...)
			e.counter(inPackets, k.InPackets, l...)
			e.counter(outPackets, k.OutPackets, l...)
			e.counter(inBytes, k.InBytes, l...)
			e.counter(outBytes, k.OutBytes, l...)
			e.rates(serverRates, k.Rates, l...)
		}
	}
	e.traffic(p)
	e.substitutes(p)
	for state, n := range states {
		e.gauge(poolServers, float64(n), p.Name, state)
	}
}

func portText(p uint16) string { return strconv.Itoa(int(p)) }
