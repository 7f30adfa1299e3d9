package consul

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// OwnerMeta is the service meta key that names the director which registered a
// service. What a killed director left is known by it and taken back.
const OwnerMeta = "edgekeeper-router-id"

// Registration is one service as it should stand in the catalog.
type Registration struct {
	ID      string
	Name    string
	Address netip.Addr // zero: the node's
	Port    uint16
	Tags    []string
	State   discovery.State // Maintenance counts as Critical
	Output  string          // why
}

// RegistrarConfig says how a [Registrar] registers.
type RegistrarConfig struct {
	Client *api.Client // of the local agent; required
	Owner  string      // unique among those that use the agent
	TTL    time.Duration
	// DeregisterAfter is how long a check may be critical before Consul removes
	// the service; 0: for ever.
	DeregisterAfter time.Duration
	// Event is told in a sentence when registering begins and ceases to fail. May
	// be nil.
	Event func(string)
	Log   *slog.Logger // nil discards
}

// Registrar keeps services registered with the local agent, each with a TTL
// check that it renews three times per TTL and whenever the state changes. A
// director that dies cannot renew, and its services become critical by
// themselves. An agent that forgot a service (a restart without its data) does
// not know the check, and is told again.
//
// Its methods may be called from any goroutine.
type Registrar struct {
	cfg     RegistrarConfig
	changed chan struct{}

	mu   sync.Mutex // never held while the agent is asked
	want map[string]Registration
	err  string

	asking sync.Mutex              // held while the agent is asked
	have   map[string]Registration // as the agent was told
	at     map[string]time.Time    // when
	swept  bool
	closed bool
}

// callTimeout bounds one request to the local agent.
const callTimeout = 5 * time.Second

// NewRegistrar makes a registrar that registers nothing yet.
func NewRegistrar(cfg RegistrarConfig) *Registrar {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Event == nil {
		cfg.Event = func(string) {}
	}
	return &Registrar{cfg: cfg, changed: make(chan struct{}, 1), have: map[string]Registration{}, at: map[string]time.Time{}}
}

// Set says what should be registered. It does not wait.
func (r *Registrar) Set(list []Registration) {
	want := make(map[string]Registration, len(list))
	for _, x := range list {
		want[x.ID] = x
	}
	r.mu.Lock()
	same := reflect.DeepEqual(want, r.want)
	r.want = want
	r.mu.Unlock()
	if same {
		return
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// Status gives what should be registered, by id, and why it may not be.
func (r *Registrar) Status() ([]Registration, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Registration
	for _, id := range slices.Sorted(maps.Keys(r.want)) {
		out = append(out, r.want[id])
	}
	return out, r.err
}

// Run registers until ctx ends and then returns nil. What is registered stays:
// see Close.
func (r *Registrar) Run(ctx context.Context) error {
	retry := newBackoff(backoffMin, backoffMax)
	for {
		pause := r.cfg.TTL / 3
		err := r.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // that is how Run ends
		case err != nil:
			// Never longer than a round: a late renewal is a critical check.
			pause = min(pause, retry.NextBackOff())
		default:
			retry.Reset()
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-r.changed:
			if !sleep(ctx, spacing) { // a burst of changes is one round
				return nil
			}
		case <-t.C:
		}
		t.Stop()
	}
}

// round makes the agent's registrations what they should be.
func (r *Registrar) round(ctx context.Context) error {
	r.asking.Lock()
	defer r.asking.Unlock()
	r.mu.Lock()
	want := r.want // a new map each time
	r.mu.Unlock()
	if r.closed || want == nil {
		return nil
	}
	err := r.sweep(ctx)
	for _, id := range slices.Sorted(maps.Keys(want)) {
		err = errors.Join(err, r.keep(ctx, want[id]))
	}
	for _, id := range slices.Sorted(maps.Keys(r.have)) {
		if _, ok := want[id]; !ok {
			err = errors.Join(err, r.remove(ctx, id))
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text := ""
	if err != nil {
		text = errText(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case text != "" && text != r.err:
		r.cfg.Log.Warn("cannot register with consul", "error", text)
		r.cfg.Event("cannot register: " + text)
	case text == "" && r.err != "":
		r.cfg.Event("registered again")
	}
	r.err = text
	return err
}

// sweep finds, once, what an earlier run of this director has left.
func (r *Registrar) sweep(ctx context.Context) error {
	if r.swept {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := r.cfg.Client.Agent().ServicesWithFilterOpts("", (&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return fmt.Errorf("read what is registered: %w", err)
	}
	for id, s := range list {
		if _, known := r.have[id]; !known && s.Meta[OwnerMeta] == r.cfg.Owner {
			r.have[id] = Registration{ID: id} // not as it should be, whatever it is
		}
	}
	r.swept = true
	return nil
}

// keep registers one service where the agent was told otherwise, and renews it.
func (r *Registrar) keep(ctx context.Context, x Registration) error {
	told, ok := r.have[x.ID]
	// Told again now and then, because the agent goes on with the token that came
	// with the registration, and that one may have been replaced.
	if !ok || !sameService(told, x) || time.Since(r.at[x.ID]) >= 4*r.cfg.TTL {
		if err := r.register(ctx, x); err != nil {
			return err
		}
	}
	err := r.renew(ctx, x)
	if statusCode(err) == http.StatusNotFound {
		// The agent does not know the check any more.
		delete(r.have, x.ID)
		if err = r.register(ctx, x); err == nil {
			r.cfg.Event(fmt.Sprintf("%s was lost by the agent, registered again", x.ID))
			err = r.renew(ctx, x)
		}
	}
	return err
}

func sameService(a, b Registration) bool {
	a.State, a.Output, b.State, b.Output = 0, "", 0, ""
	return reflect.DeepEqual(a, b)
}

func (r *Registrar) register(ctx context.Context, x Registration) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s := &api.AgentServiceRegistration{
		ID: x.ID, Name: x.Name, Port: int(x.Port), Tags: x.Tags, Meta: map[string]string{OwnerMeta: r.cfg.Owner},
		// The state of this moment: a check that begins critical would make a gap.
		Check: &api.AgentServiceCheck{CheckID: checkID(x.ID), Name: "edgekeeper", TTL: r.cfg.TTL.String(), Status: checkStatus(x.State)},
	}
	if x.Address.IsValid() {
		s.Address = x.Address.String()
	}
	if r.cfg.DeregisterAfter > 0 {
		s.Check.DeregisterCriticalServiceAfter = r.cfg.DeregisterAfter.String()
	}
	if err := r.cfg.Client.Agent().ServiceRegisterOpts(s, api.ServiceRegisterOpts{}.WithContext(ctx)); err != nil {
		return fmt.Errorf("register %s: %w", x.ID, err)
	}
	r.have[x.ID], r.at[x.ID] = x, time.Now()
	r.cfg.Log.Debug("registered with consul", "service", x.Name, "id", x.ID, "tags", x.Tags)
	return nil
}

func (r *Registrar) renew(ctx context.Context, x Registration) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := r.cfg.Client.Agent().UpdateTTLOpts(checkID(x.ID), x.Output, checkStatus(x.State), (&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return fmt.Errorf("renew the check of %s: %w", x.ID, err)
	}
	return nil
}

func (r *Registrar) remove(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := r.cfg.Client.Agent().ServiceDeregisterOpts(id, (&api.QueryOptions{}).WithContext(ctx))
	if err != nil && statusCode(err) != http.StatusNotFound {
		return fmt.Errorf("deregister %s: %w", id, err)
	}
	delete(r.have, id)
	return nil
}

// Close deregisters everything, unless ctx ends first. Nothing is registered
// after it.
func (r *Registrar) Close(ctx context.Context) error {
	r.asking.Lock()
	defer r.asking.Unlock()
	r.closed = true
	var err error
	for _, id := range slices.Sorted(maps.Keys(r.have)) {
		err = errors.Join(err, r.remove(ctx, id))
	}
	return err
}

func checkID(service string) string { return "edgekeeper:" + service }

func checkStatus(s discovery.State) string {
	switch s {
	case discovery.Passing:
		return api.HealthPassing
	case discovery.Warning:
		return api.HealthWarning
	case discovery.Critical, discovery.Maintenance:
	}
	return api.HealthCritical
}
