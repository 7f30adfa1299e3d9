package agent

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/version"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
)

// Snapshot implements control.Director.
func (a *agent) Snapshot(ctx context.Context) (control.Snapshot, error) {
	return ask(ctx, a, a.snapshot)
}

// snapshot copies the whole state; in the loop.
func (a *agent) snapshot() control.Snapshot {
	kept := keptKeys(a.pairs.Pairs)
	s := control.Snapshot{
		Version: version.String(), RouterID: a.cfg.RouterID, PID: os.Getpid(), Started: a.begun, At: time.Now(),
		Config: a.configAt,
		VRRP:   []control.Router{}, Pools: []control.Pool{}, Sources: []control.SourceStatus{},
		KV:      control.KVStatus{Where: a.source.kvWhere, Keys: len(a.pairs.Pairs) - len(kept), Kept: kept, Index: a.pairs.Index, Error: a.kvError},
		Sysctls: a.kernel.tuned.status(), Guardian: a.guardianStatus(), Process: a.processStatus(),
	}
	for _, r := range a.rejected {
		s.KV.Rejected = append(s.KV.Rejected, r.String())
	}
	s.Groups = a.groupStatus()
	for _, x := range a.routers.list() {
		status := x.status()
		status.Tracks = a.trackStatus(x.tracks)
		status.Peers = a.peerStatus(x, x.runner.Status())
		s.VRRP = append(s.VRRP, status)
	}
	s.Trackers = a.trackerStatus()
	for _, q := range a.source.queries {
		s.Sources = append(s.Sources, a.sourceStatus(q))
	}
	s.Notify = a.notifyStatus()
	s.Registration = a.registrationStatus()
	table := a.kernel.status()
	local := sync.OnceValue(a.opts.Platform.Addresses)
	for _, d := range a.decisions {
		p := a.pool(d, table.Observed)
		if w := a.loops(d, local); w != "" {
			p.Warnings = append(slices.Clone(p.Warnings), w)
		}
		p.Error = poolError(d.Want.Pool.Service.Key, table.Errors)
		s.Pools = append(s.Pools, p)
	}
	s.IPVS = ipvsStatus(table, a.kernel)
	return s
}

func (a *agent) sourceStatus(q discovery.Query) control.SourceStatus {
	k, ok := a.known[q]
	out := control.SourceStatus{Source: q.Source.String(), Query: queryName(q), Instances: len(k.Instances), Index: k.Index, Error: k.Err, Warnings: k.Warnings, Stale: k.Stale}
	if ok && !k.At.IsZero() {
		out.Answered = &k.At
	}
	if !ok {
		out.Error = cmp.Or(a.firstError[q], "has not answered yet")
	}
	return out
}

func (a *agent) pool(d discovery.Decision, have lvs.Observed) control.Pool {
	service := d.Want.Pool.Service
	p := control.Pool{
		Name: d.Spec.Name, Service: service.Key.String(), Scheduler: service.Scheduler, Forward: d.Spec.Forward.String(),
		Persistence: service.Persistence, Held: d.Held, Hold: d.Want.Hold, Warnings: d.Warnings, Panic: d.Panic, QuorumLost: d.QuorumLost, Answers: d.Instead,
		Standby: a.standby(&d.Spec),
		Servers: []control.PoolServer{},
	}
	p.Mark, p.Engine = service.Mark, service.Normal().Engine
	for _, s := range d.Spec.Spans {
		p.Addresses = append(p.Addresses, d.Spec.Protocol.String()+" "+s.String())
	}
	for _, q := range d.Waiting {
		p.Waiting = append(p.Waiting, queryName(q))
	}
	for _, sel := range d.Spec.AllSelectors() {
		for _, q := range sel.Queries() {
			p.Stale = p.Stale || a.known[q].Stale
		}
	}
	p.Kernel = kernelService(service.Key, have)
	servers, fallback, last := d.Status(discovery.View{Verdicts: &a.verdicts})
	for _, srv := range servers {
		p.Servers = append(p.Servers, poolServer(srv, service.Key, have))
	}
	if f := d.Spec.Fallback; f != nil {
		p.Fallback = &control.Fallback{Name: f.Name, Servers: []control.PoolServer{}}
		for _, srv := range fallback {
			p.Fallback.Servers = append(p.Fallback.Servers, poolServer(srv, service.Key, have))
		}
	}
	if last != nil {
		sorry := poolServer(*last, service.Key, have)
		p.Sorry = &sorry
	}
	return p
}

// poolServer puts beside what was decided of a real server what the kernel holds.
func poolServer(srv discovery.ServerStatus, service lvs.Key, have lvs.Observed) control.PoolServer {
	out := control.PoolServer{ServerStatus: srv}
	if dest, ok := have.Table[service].Dest(srv.Addr); ok {
		n, _ := have.Dests[service].Of(srv.Addr)
		out.Kernel = &control.KernelDest{
			Weight: dest.Weight, Active: n.Active, Inactive: n.Inactive,
			Connections: n.Connections, InPackets: n.InPackets, OutPackets: n.OutPackets, InBytes: n.InBytes, OutBytes: n.OutBytes,
			Rates: control.Rates(n.Rates),
		}
	}
	return out
}

// kernelService is what the kernel counts for a virtual server, nil when it is
// not in the table.
func kernelService(key lvs.Key, have lvs.Observed) *control.KernelService {
	if _, there := have.Table[key]; !there {
		return nil
	}
	n := have.Services[key]
	return &control.KernelService{
		Active: n.Active, Inactive: n.Inactive,
		Connections: n.Connections, InPackets: n.InPackets, OutPackets: n.OutPackets, InBytes: n.InBytes, OutBytes: n.OutBytes,
		Rates: control.Rates(n.Rates),
	}
}

func ipvsStatus(s reconcile.Status, k *dataplane) control.IPVS {
	out := control.IPVS{InSync: k.ipvs == nil || s.Generation > 0 && s.Applied == s.Generation, Ops: map[string]uint64{}, Drift: s.Drift, LastDrift: k.lastDrift()}
	if s.Adopted != nil {
		out.Adopted = control.Adopted{Services: s.Adopted.Services, Servers: s.Adopted.Dests, Ops: s.Adopted.Ops}
	}
	for c, n := range s.Counts {
		if c.Result == reconcile.Done {
			out.Ops[c.Verb.String()] += n
		}
	}
	switch {
	case s.ReadErr != nil:
		out.Error = "read table: " + s.ReadErr.Error()
	case s.MarksErr != nil:
		out.Error = s.MarksErr.Error()
	case len(s.Errors) > 0:
		e := s.Errors[0]
		out.Error = fmt.Sprintf("%s: %v (%d attempts; %d objects fail in all)", e.Op, e.Err, e.Attempts, len(s.Errors))
	}
	for _, d := range s.Draining {
		out.Draining = append(out.Draining, control.Draining{
			Service: d.ID.Key.String(), Server: d.ID.Addr.String(), Since: d.Since, Until: d.Deadline, Active: d.Active,
		})
	}
	out.Sync = k.sync.status()
	if k.ipvs != nil {
		if t, err := k.ipvs.Timeouts(); err == nil {
			out.Timeouts = &control.Timeouts{TCP: t.TCP.Seconds(), TCPFin: t.TCPFin.Seconds(), UDP: t.UDP.Seconds()}
		}
	}
	return out
}
