package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

var (
	vrrpState       = desc("vrrp_state", "1 for the state the VRRP instance is in.", "instance", "state")
	vrrpPriority    = desc("vrrp_priority", "Effective priority.", "instance")
	vrrpConfigured  = desc("vrrp_config_priority", "Priority in the configuration.", "instance")
	vrrpMasterDown  = desc("vrrp_master_down_seconds", "Silence after which this router, as a backup, takes over.", "instance")
	vrrpInterval    = desc("vrrp_advert_interval_seconds", "Configured time between adverts.", "instance")
	vrrpSent        = desc("vrrp_adverts_sent_total", "Adverts sent, once per destination.", "instance")
	vrrpSendErrors  = desc("vrrp_advert_send_errors_total", "Adverts that could not be sent.", "instance")
	vrrpReceived    = desc("vrrp_adverts_received_total", "Adverts accepted.", "instance")
	vrrpDropped     = desc("vrrp_adverts_dropped_total", "Adverts dropped, by reason.", "instance", "reason")
	vrrpTransitions = desc("vrrp_transitions_total", "Changes of state, by the state entered and the cause.", "instance", "to", "reason")
	vrrpAnnounced   = desc("vrrp_announcements_total", "Rounds of gratuitous ARP and neighbour advertisements.", "instance")
	vrrpRenewals    = desc("vrrp_lease_renewals_total", "Times the addresses were installed or their lifetime was renewed.", "instance")
	vrrpLease       = desc("vrrp_lease_seconds", "Lifetime of the addresses in the kernel, 0 for none.", "instance")
	vrrpLeaseUntil  = desc("vrrp_lease_expires_timestamp_seconds", "When the present lifetime ends; no series where none runs.", "instance")
	vrrpHostErrors  = desc("vrrp_address_errors_total", "Addresses that could not be installed, renewed, announced or removed.", "instance")
	vrrpLost        = desc("vrrp_addresses_lost_total", "Addresses that somebody else took off or changed.", "instance")
	vrrpRoutesLost  = desc("vrrp_routes_lost_total", "Virtual routes and rules that somebody else took off.", "instance")
	vrrpLateness    = histogram("vrrp_loop_lateness_seconds", "How long after its deadline the VRRP loop woke.", "instance")
	vrrpLate        = desc("vrrp_loop_lateness_max_seconds", "How late the VRRP loop woke at worst.", "instance")
	vrrpLateSteps   = desc("vrrp_late_stepdowns_total", "Times a master found itself late enough to have been replaced and stepped down.", "instance")
	vrrpTrouble     = desc("vrrp_trouble", "Troubles that last, by kind; a kind that was seen once keeps its series.", "instance", "kind")
	vrrpTroubles    = desc("vrrp_trouble_sightings_total", "Times a kind of trouble was seen.", "instance", "kind")
	vipPresent      = desc("vip_present", "Whether this host holds the virtual address.", "instance", "address")
	vipConflict     = desc("vip_conflict", "1 while another host answers for the virtual address; no series otherwise.", "instance", "address", "mac")

	guardianUp    = desc("guardian_up", "Whether the guardian runs and can do all it is asked for; no series without one: switched off, or no VRRP instance.")
	guardianRuns  = desc("guardian_restarts_total", "Guardians that replaced another.")
	guardianArmed = desc("guardian_armed", "1 for each VRRP instance that the guardian would hand over.", "instance")
)

func (e emitter) router(r control.Router) {
	for _, state := range []string{"INIT", "BACKUP", "MASTER", "FAULT"} {
		e.flag(vrrpState, r.State == state, r.Name, state)
	}
	e.gauge(vrrpPriority, float64(r.Priority), r.Name)
	e.gauge(vrrpConfigured, float64(r.ConfigPriority), r.Name)
	e.gauge(vrrpMasterDown, float64(r.MasterDownMS)/1000, r.Name)
	e.gauge(vrrpInterval, float64(r.AdvertIntervalMS)/1000, r.Name)
	e.counter(vrrpSent, r.Sent, r.Name)
	e.counter(vrrpSendErrors, r.SendErrors, r.Name)
	e.counter(vrrpReceived, r.Received, r.Name)
	for reason, n := range r.Dropped {
		e.counter(vrrpDropped, n, r.Name, reason)
	}
	for _, t := range r.Transitions {
		e.counter(vrrpTransitions, t.Count, r.Name, t.State, t.Cause)
	}
	e.counter(vrrpAnnounced, r.Announcements, r.Name)
	e.counter(vrrpRenewals, r.Renewals, r.Name)
	e.gauge(vrrpLease, r.LeaseSeconds, r.Name)
	if r.LeaseUntil != nil {
		e.gauge(vrrpLeaseUntil, float64(r.LeaseUntil.UnixMilli())/1000, r.Name)
	}
	e.counter(vrrpHostErrors, r.HostErrors, r.Name)
	e.counter(vrrpLost, r.AddressesLost, r.Name)
	e.counter(vrrpRoutesLost, r.RoutesLost, r.Name)
	e.histogram(vrrpLateness, r.Lateness, r.Name)
	e.gauge(vrrpLate, r.Lateness.Max, r.Name)
	e.counter(vrrpLateSteps, r.LateSteps, r.Name)
	e.tracks(r)
	e.troubles(r)
	for _, a := range r.Addresses {
		e.flag(vipPresent, a.Present, r.Name, a.Prefix.Addr().String())
	}
}

func (e emitter) troubles(r control.Router) {
	active := map[string]int{}
	for _, t := range r.Troubles {
		if t.Cleared != nil {
			continue
		}
		active[t.Kind]++
		if t.MAC != "" {
			e.gauge(vipConflict, 1, r.Name, t.Address, t.MAC)
		}
	}
	for kind, n := range r.TroublesTotal {
		e.counter(vrrpTroubles, n, r.Name, kind)
		e.gauge(vrrpTrouble, float64(active[kind]), r.Name, kind)
	}
}

func (e emitter) guardian(g *control.Guardian) {
	if g == nil {
		return
	}
	e.flag(guardianUp, g.PID != 0 && g.Error == "")
	e.counter(guardianRuns, g.Restarts)
	for _, name := range g.Armed {
		e.gauge(guardianArmed, 1, name)
	}
}

func (e emitter) histogram(d *prometheus.Desc, h control.Histogram, labels ...string) {
	buckets, below := map[float64]uint64{}, uint64(0)
	for i, bound := range h.Bounds {
		below += h.Buckets[i]
		buckets[bound] = below
	}
	e.out <- prometheus.MustNewConstHistogram(d, h.Count, h.Sum, buckets, labels...)
}
