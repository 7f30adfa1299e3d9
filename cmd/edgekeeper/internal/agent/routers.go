package agent

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
	"github.com/edgekeeper/edgekeeper/vrrp/vip"
)

// routers are the VRRP instances that run. set and priorities are called from
// the loop; stop ends everything, and nothing starts after it.
type routers struct {
	agent *agent

	// closing: the director stops. Whoever starts routers gives that up, so that
	// the stop need not wait until the last one has started.
	closing atomic.Bool

	mu      sync.Mutex // held while routers start and stop
	running []*router
	stopped bool
}

// router is one VRRP instance that runs.
type router struct {
	cfg     config.VRRP
	open    *openHost
	runner  *instance.Runner
	lookout Lookout
	group   *group // nil: none. Its members share stop and done
	stop    context.CancelFunc
	done    chan struct{}

	// Owned by the loop:
	priorityFrom string            // config, or the KV key in force
	priorityBase uint8             // what that says
	prioritySet  uint8             // with the shifts of the trackers
	priorityWhy  string            // priorityFrom and the shifts
	tracks       []config.Track    // of the configuration in force
	hmac         *vrrp.HMAC        // of the configuration in force
	faults       map[string]string // of trackers, as the runner was told
}

// list gives the routers of this moment.
func (r *routers) list() []*router {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.running)
}

// find gives one by name, nil when there is none.
func (r *routers) find(name string) *router {
	for _, x := range r.list() {
		if x.cfg.Router.Name == name {
			return x
		}
	}
	return nil
}

// set makes the running routers those of the configuration. One whose
// configuration is as it was goes on without a break, and so does one that can
// become another while it runs; one that cannot hands over, stops and starts
// again. When one cannot start, those of before are put back and the error says
// why. Members of a group start again together.
func (r *routers) set(want []config.VRRP, groups []config.SyncGroup) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return errStopping
	}
	next, leave, changes := r.sort(want, groups)
	ctx := context.WithoutCancel(r.agent.work)
	stopAll(ctx, leave)
	started, err := r.startAll(slices.DeleteFunc(slices.Clone(want), func(w config.VRRP) bool {
		return slices.ContainsFunc(next, func(x *router) bool { return x.cfg.Router.Name == w.Router.Name }) ||
			slices.ContainsFunc(changes, func(c *change) bool { return c.cfg.Router.Name == w.Router.Name })
	}), groups)
	if err != nil {
		r.undo(changes)
	}
	if errors.Is(err, errStopping) {
		return err
	}
	if err != nil {
		return errors.Join(err, r.putBack(leave))
	}
	for _, c := range changes {
		next = append(next, r.apply(c))
	}
	next = append(next, started...)
	order := func(x *router) int {
		return slices.IndexFunc(want, func(w config.VRRP) bool { return w.Router.Name == x.cfg.Router.Name })
	}
	slices.SortFunc(next, func(a, b *router) int { return order(a) - order(b) })
	for _, x := range next {
		w := want[order(x)]
		x.tracks = w.Tracks
		r.sign(x, w.Router.HMAC)
		if i := slices.IndexFunc(groups, func(g config.SyncGroup) bool { return g.Name == x.cfg.Group }); x.group != nil && i >= 0 {
			x.group.notes = groups[i].Notes
		}
	}
	adjust(next, want)
	r.running = next
	return nil
}

// putBack starts routers again that were stopped for a configuration that is
// refused. One that does not start ends the director: it must not go on without
// an address that it should hold.
func (r *routers) putBack(stopped []*router) error {
	var want []config.VRRP
	var groups []config.SyncGroup
	for _, old := range stopped {
		cfg := old.cfg
		cfg.Tracks, cfg.Router.HMAC = old.tracks, old.hmac
		want = append(want, cfg)
		if old.group != nil {
			groups = append(groups, old.group.cfg)
		}
	}
	again, err := r.startAll(want, groups)
	if errors.Is(err, errStopping) {
		return err
	}
	if err != nil {
		r.agent.fail(err)
		return err
	}
	for i, old := range r.running {
		if j := slices.IndexFunc(again, func(x *router) bool { return x.cfg.Router.Name == old.cfg.Router.Name }); j >= 0 {
			r.running[i] = again[j]
		}
	}
	return nil
}

// open makes a router, which does not run yet.
func (r *routers) open(cfg config.VRRP) (*router, error) {
	a, name := r.agent, cfg.Router.Name
	host, err := a.opts.Platform.OpenHost(cfg, filepath.Join(AddressFolder(a.cfg.StateDir), url.PathEscape(name)+vip.StateSuffix), a.log)
	if err != nil {
		return nil, fmt.Errorf("vrrp %s: %w", name, err)
	}
	_, _, faults := a.effects(cfg.Tracks)
	lookout, err := a.opts.Platform.OpenLookout(cfg, a.log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("vrrp %s: %w", name, err), host.Close())
	}
	run := a.runnerConfig(cfg, host, lookout)
	run.Faults = faults
	run.OnRole = func(role instance.Role) { a.role(name, role) }
	run.OnTrouble = func(t instance.Trouble) { a.trouble(name, t) }
	runner, err := instance.New(run)
	if err != nil {
		return nil, errors.Join(err, host.Close())
	}
	x := &router{cfg: cfg, open: &openHost{host: host}, runner: runner, lookout: lookout, tracks: cfg.Tracks, hmac: cfg.Router.HMAC, faults: faults}
	x.priorityFrom, x.priorityBase, x.prioritySet, x.priorityWhy = "config", cfg.Router.Priority, cfg.Router.Priority, "config"
	return x, nil
}

// runnerConfig is what a runner needs, but for the callbacks.
func (a *agent) runnerConfig(cfg config.VRRP, host Host, lookout Lookout) instance.Config {
	start := cfg.Router
	if cfg.Peers != nil {
		start.Peers = a.peersOf(cfg).list()
	}
	return instance.Config{
		VRRP: start, IgnoreLink: !cfg.OwnInterface,
		OnLoss: lossPolicy(cfg.OnLoss), LinkUpDelay: cfg.UpDelay, LinkDownDelay: cfg.DownDelay,
		Dial:    func() (instance.Conn, error) { return a.opts.Platform.Dial(cfg) },
		Host:    host,
		Lookout: lookout,
		Guard:   a.guardOf(cfg),
	}
}

// role records a change of state; it is called by the runner, not by the loop.
func (a *agent) role(name string, role instance.Role) {
	a.event("vrrp", name, fmt.Sprintf("%s, was %s: %s", role.State, role.Previous, role.Reason))
	a.tellRole(name, role)
	a.kernel.sync.role(name, role.State)
	a.roleChanged()
	a.standing.set(name, role.State)
}

// priorities applies the KV's priorities, and what the trackers make of them.
func (r *routers) priorities() {
	a := r.agent
	for _, x := range r.list() {
		base, from := a.basePriority(x)
		shifts, words, faults := a.effects(x.tracks)
		x.setFaults(faults)
		want, why := vrrp.EffectivePriority(base, shifts...), from+words
		if want == x.prioritySet && why == x.priorityWhy && base == x.priorityBase {
			continue
		}
		if want != x.prioritySet {
			text := fmt.Sprintf("priority %d, was %d: %s", want, x.prioritySet, why)
			a.event("vrrp", x.cfg.Router.Name, text)
			a.tellPriority(x, want, text)
		}
		x.prioritySet, x.priorityBase, x.priorityFrom, x.priorityWhy = want, base, from, why
		x.runner.SetPriority(want, why)
	}
}

// stop hands over and stops all; when it returns no address of ours is left.
func (r *routers) stop(ctx context.Context) {
	r.closing.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	stopAll(ctx, r.running)
	r.running, r.stopped = nil, true
}

// handoverTime bounds the wait for the next master at a stop: a backup answers
// priority 0 within its skew time, below one second in version 2.
const handoverTime = 1500 * time.Millisecond

// stopAll hands over the masters among them, so that clients see no gap, and
// then stops them; a router that nobody takes over from stops all the same.
func stopAll(ctx context.Context, all []*router) {
	var wg sync.WaitGroup
	for _, x := range units(all) {
		wg.Go(func() {
			short, cancel := context.WithTimeout(ctx, handoverTime)
			defer cancel()
			// Whatever the outcome, the addresses go now.
			_ = x.runner.Handover(short, 0)
			x.stop()
			<-x.done
		})
	}
	wg.Wait()
}

// Handover implements control.Director.
func (a *agent) Handover(ctx context.Context, name string) ([]control.Handover, error) {
	all := a.routers.list()
	if name != "" {
		if all = a.routers.named(name); len(all) == 0 {
			return nil, fmt.Errorf("%w: no VRRP instance %q, and no sync group", control.ErrBadRequest, name)
		}
	}
	out := []control.Handover{}
	for _, x := range units(all) {
		instanceName, begin := x.unit(), time.Now()
		err := x.runner.Handover(ctx, 0)
		if errors.Is(err, instance.ErrNotMaster) {
			if name == "" {
				continue // with no name, whatever we are master of is meant
			}
			return out, fmt.Errorf("%w: %s is %s here, so there is nothing to hand over", control.ErrBadRequest, instanceName, x.runner.Status().State)
		}
		if errors.Is(err, instance.ErrNoPeer) {
			return out, fmt.Errorf("hand over %s: %w; this director remains master", instanceName, err)
		}
		if err != nil {
			return out, fmt.Errorf("hand over %s: %w", instanceName, err)
		}
		out = append(out, control.Handover{Instance: instanceName, To: a.routers.handedTo(x), Seconds: time.Since(begin).Seconds()})
	}
	if len(out) == 0 {
		return out, fmt.Errorf("%w: this director is master of nothing", control.ErrBadRequest)
	}
	return out, nil
}

// status renders one router for status.
func (x *router) status() control.Router {
	s := x.runner.Status()
	out := control.Router{
		Name: s.Name, Group: x.cfg.Group, Interface: x.cfg.Interface, VMACs: vmacStatus(x.cfg), NoAccept: x.cfg.NoAccept, VRID: s.VRID, Version: uint8(s.Version),
		State: s.State.String(), Reason: s.Reason.String(), Since: s.Since,
		Priority: s.Priority, ConfigPriority: s.ConfigPriority, BasePriority: x.priorityBase, PriorityFrom: x.priorityFrom, Preempt: !x.cfg.Router.NoPreempt,
		MasterPriority: s.MasterPriority, AdvertIntervalMS: s.Interval.Milliseconds(), MasterDownMS: s.MasterDown.Milliseconds(),
		Sent: s.Counters.Sent, Received: s.Counters.Received, Dropped: map[string]uint64{},
		LatestMS: float64(s.Lateness.Max.Microseconds()) / 1000, Error: s.LastError,
	}
	movedStatus(s, &out)
	if s.Master.IsValid() {
		out.Master = s.Master.String()
	}
	out.Lease = s.Lease.String()
	if s.Lease == 0 {
		out.Lease = "off"
	}
	if s.LeaseNote != "" {
		out.Lease += " (" + s.LeaseNote + ")"
	}
	for drop, n := range s.Counters.Dropped {
		if n > 0 {
			out.Dropped[vrrp.Drop(drop).String()] = n
		}
	}
	for _, list := range [][]vrrp.Address{s.Addresses, s.Excluded} {
		for _, addr := range list {
			device := addr.Device
			if device == "" {
				device = x.cfg.Interface
			}
			out.Addresses = append(out.Addresses, control.Address{Prefix: addr.Prefix, Device: device, Label: addr.Label, Present: s.Present})
		}
	}
	out.Troubles = troubles(s.Troubles)
	counters(&out, s)
	out.Authentication, out.Checksums = authentication(s), checksums(s)
	return out
}
