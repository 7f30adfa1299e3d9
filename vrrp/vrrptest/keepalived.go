package vrrptest

import (
	"net/netip"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// keepalived behaves in an election as keepalived 2.2 does (vrrp_state_backup,
// vrrp_state_master_rx and vrrp_state_goto_master in keepalived/vrrp/vrrp.c and
// vrrp_scheduler.c). What sets it apart from vrrp.Machine: it takes the addresses
// without a claim and yields without a word; priority 0 from anybody shortens its
// timer; and one that was stopped goes on as the master it was. Its addresses have
// no lifetime, so they stay when it is killed.
type keepalived struct {
	cfg       vrrp.Config
	state     vrrp.State
	source    netip.Addr
	priority  uint8
	interval  time.Duration // the master's
	timer     time.Time     // master down, or the next advert
	preemptAt time.Time
	heard     time.Time
	why       vrrp.Reason // for becoming master when timer ends
	actions   []vrrp.Action
}

func newKeepalived(cfg vrrp.Config) *keepalived {
	cfg = cfg.WithDefaults()
	return &keepalived{cfg: cfg, priority: cfg.Priority, interval: cfg.Interval}
}

func (k *keepalived) State() vrrp.State { return k.state }
func (k *keepalived) Claiming() bool    { return false }
func (k *keepalived) HandingOver() bool { return false }

func (k *keepalived) Deadline() time.Time {
	if k.state == vrrp.Backup || k.state == vrrp.Master {
		return k.timer
	}
	return time.Time{}
}

func (k *keepalived) Step(now time.Time, event vrrp.Event) []vrrp.Action {
	k.actions = k.actions[:0]
	switch ev := event.(type) {
	case vrrp.Start:
		k.source = ev.Source
		k.begin(now, vrrp.Reason{Cause: vrrp.CauseStarted})
	case vrrp.Recovered:
		k.begin(now, vrrp.Reason{Cause: vrrp.CauseRecovered, Why: ev.Why})
	case vrrp.Stop:
		k.leave(vrrp.Init, vrrp.Reason{Cause: vrrp.CauseStopped})
	case vrrp.Failed:
		k.leave(vrrp.Fault, vrrp.Reason{Cause: vrrp.CauseFailed, Why: ev.Why})
	case vrrp.Received:
		switch k.state {
		case vrrp.Backup:
			k.backup(now, ev)
		case vrrp.Master:
			k.master(now, ev)
		case vrrp.Init, vrrp.Fault:
		}
	case vrrp.Timeout:
		switch {
		case k.Deadline().IsZero() || now.Before(k.timer):
		case k.state == vrrp.Backup:
			why := k.why
			if why.Cause == vrrp.CauseNone {
				why.Cause, why.After = vrrp.CauseSilence, now.Sub(k.heard)
			}
			k.becomeMaster(now, why)
		default:
			k.advertise(now)
		}
	case vrrp.SetPriority:
		if k.cfg.Priority != vrrp.PriorityOwner {
			v, to := k.cfg.Version, vrrp.Clamp(int(ev.Priority))
			if k.state == vrrp.Backup {
				k.timer = k.timer.Add(v.Skew(k.interval, to) - v.Skew(k.interval, k.priority))
			}
			k.priority = to
		}
	case vrrp.Advertise, vrrp.Handover: // it has none
	}
	return k.actions
}

func (k *keepalived) do(a vrrp.Action) { k.actions = append(k.actions, a) }

func (k *keepalived) begin(now time.Time, why vrrp.Reason) {
	k.interval = k.cfg.Interval
	if k.priority == vrrp.PriorityOwner {
		k.becomeMaster(now, vrrp.Reason{Cause: vrrp.CauseOwner})
		return
	}
	k.becomeBackup(now, why)
}

func (k *keepalived) becomeBackup(now time.Time, why vrrp.Reason) {
	k.state, k.why, k.preemptAt = vrrp.Backup, vrrp.Reason{}, time.Time{}
	k.restart(now)
	k.do(vrrp.Enter{State: vrrp.Backup, Reason: why})
}

func (k *keepalived) becomeMaster(now time.Time, why vrrp.Reason) {
	k.state, k.why = vrrp.Master, vrrp.Reason{}
	k.advertise(now)
	k.do(vrrp.Enter{State: vrrp.Master, Reason: why})
}

// leave: priority 0 first, then the addresses come off.
func (k *keepalived) leave(to vrrp.State, why vrrp.Reason) {
	if k.state == to {
		return
	}
	if k.state == vrrp.Master {
		k.do(vrrp.SendAdvert{Priority: vrrp.PriorityResign})
	}
	k.state, k.why = to, vrrp.Reason{}
	k.do(vrrp.Enter{State: to, Reason: why})
}

func (k *keepalived) advertise(now time.Time) {
	k.do(vrrp.SendAdvert{Priority: k.priority})
	k.timer = now.Add(k.cfg.Interval)
}

func (k *keepalived) restart(now time.Time) {
	k.heard = now
	k.timer = now.Add(k.cfg.Version.MasterDown(k.interval, k.cfg.DownMultiplier, k.priority))
}

func (k *keepalived) backup(now time.Time, ev vrrp.Received) {
	if ev.Priority == vrrp.PriorityResign {
		k.timer = now.Add(k.cfg.Version.Skew(k.interval, k.priority))
		k.why = vrrp.Reason{Cause: vrrp.CauseResigned, Peer: ev.Source}
		return
	}
	lower := ev.Priority < k.priority
	switch {
	case !lower:
		k.preemptAt = time.Time{}
	case k.cfg.NoPreempt:
	case k.cfg.PreemptDelay > 0:
		if k.preemptAt.IsZero() {
			k.preemptAt = now.Add(k.cfg.PreemptDelay)
		}
		lower = !now.Before(k.preemptAt)
	}
	if lower && !k.cfg.NoPreempt {
		k.why = vrrp.Reason{Cause: vrrp.CauseLowerMaster, Peer: ev.Source, PeerPriority: ev.Priority}
		return
	}
	if k.cfg.Version == vrrp.V3 {
		k.interval = ev.Interval
	}
	k.why = vrrp.Reason{}
	k.restart(now)
}

func (k *keepalived) master(now time.Time, ev vrrp.Received) {
	why := vrrp.Reason{Peer: ev.Source, PeerPriority: ev.Priority}
	switch {
	case ev.Priority == vrrp.PriorityResign:
		k.advertise(now)
		return
	case ev.Priority > k.priority:
		why.Cause = vrrp.CauseHigherPriority
	case ev.Priority == k.priority && k.source.Less(ev.Source):
		why.Cause = vrrp.CauseHigherAddress
	default:
		if !k.cfg.NoLowerAnswer {
			k.advertise(now)
		}
		return
	}
	if k.cfg.Version == vrrp.V3 {
		k.interval = ev.Interval
	}
	k.becomeBackup(now, why)
}
