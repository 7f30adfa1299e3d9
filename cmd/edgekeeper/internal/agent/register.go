package agent

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/show"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/discovery/consul"
)

// registerEvery is how often the director looks at itself for what it registers;
// a change of role is looked at as it happens.
const registerEvery = 2 * time.Second

// deregisterTime bounds the deregistration at a stop.
const deregisterTime = time.Second

// makeRegistrar makes what registers the director in Consul; nil when nothing is
// registered.
func (a *agent) makeRegistrar(cfg *config.Config, client consul.RegistrarConfig) *consul.Registrar {
	r := cfg.Consul.Register
	if r == nil {
		return nil
	}
	client.Owner, client.TTL, client.DeregisterAfter, client.Log = cfg.RouterID, r.TTL, r.DeregisterAfter, a.log
	client.Event = func(text string) { a.event("consul", "registration", text) }
	return consul.NewRegistrar(client)
}

// startRegistrar keeps registered what the director is, until ctx is done. VRRP
// has no part in it but to say that a role has changed.
func (a *agent) startRegistrar(ctx context.Context, before, r *consul.Registrar) {
	if before == nil && r == nil {
		return
	}
	a.run1(ctx, "consul registration", func() error {
		a.lost(deregister(ctx, before))
		if r == nil {
			return nil
		}
		return r.Run(ctx)
	})
	if r == nil {
		return
	}
	a.running.Go(func() {
		ticker := time.NewTicker(registerEvery)
		defer ticker.Stop()
		for {
			list, err := ask(ctx, a, func() []consul.Registration { return registrations(a.cfg, a.snapshot()) })
			if err == nil && ctx.Err() == nil {
				r.Set(list)
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			case <-a.roles:
			}
		}
	})
}

// roleChanged is called by VRRP, and does not wait.
func (a *agent) roleChanged() {
	select {
	case a.roles <- struct{}{}:
	default:
	}
}

// deregister takes back what another registrar will not take over.
func deregister(ctx context.Context, old *consul.Registrar) error {
	if old == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deregisterTime)
	defer cancel()
	return old.Close(ctx)
}

// lost reports what could not be deregistered; its check becomes critical.
func (a *agent) lost(err error) {
	if err != nil {
		a.event("consul", "registration", "cannot deregister: "+err.Error())
	}
}

// takesOver reports whether the registrar of a new configuration talks to the
// same agent as the same director, and so finds what the old one left.
func takesOver(old, next *config.Config) bool {
	if old.Consul == nil || next.Consul == nil || next.Consul.Register == nil {
		return false
	}
	return old.Consul.Address == next.Consul.Address && old.Consul.Namespace == next.Consul.Namespace && old.Consul.Partition == next.Consul.Partition
}

// registrations says what the catalog should hold of a director in this state.
func registrations(cfg *config.Config, s control.Snapshot) []consul.Registration {
	if cfg.Consul == nil || cfg.Consul.Register == nil {
		return nil
	}
	r := cfg.Consul.Register
	out := []consul.Registration{itself(cfg, s)}
	if !r.VirtualAddress {
		return out
	}
	used := map[netip.Addr]bool{}
	for _, spec := range cfg.VirtualServers {
		used[spec.Service.Addr] = true
		i := slices.IndexFunc(s.Pools, func(p control.Pool) bool { return p.Name == spec.Name })
		if i < 0 {
			continue // not decided yet
		}
		name := label(spec.Name + r.Suffix)
		x := consul.Registration{ID: name + "-" + cfg.RouterID, Name: name, Address: spec.Service.Addr, Port: spec.Service.Port, Tags: slices.Clone(r.Tags)}
		x.State, x.Output = poolHealth(s.Pools[i], spec.Sorry != nil)
		if v := holder(s, spec.Service.Addr); v != nil {
			x = withRole(x, *v)
		}
		out = append(out, x)
	}
	for _, v := range s.VRRP {
		if slices.ContainsFunc(v.Addresses, func(a control.Address) bool { return used[a.Prefix.Addr()] }) || len(v.Addresses) == 0 {
			continue
		}
		name := label(v.Name + r.Suffix)
		out = append(out, withRole(consul.Registration{
			ID: name + "-" + cfg.RouterID + "-vrrp", Name: name, Address: v.Addresses[0].Prefix.Addr(), Tags: slices.Clone(r.Tags),
		}, v))
	}
	return out
}

// itself is the director's own service: critical when it could not serve as
// master, warning when status has something to note.
func itself(cfg *config.Config, s control.Snapshot) consul.Registration {
	r := cfg.Consul.Register
	x := consul.Registration{ID: r.Service + "-" + cfg.RouterID, Name: r.Service, Tags: slices.Clone(r.Tags), Output: "no VRRP instance, the IPVS table is as wanted"}
	if t := cfg.Telemetry; t != nil {
		x.Port = t.Address.Port()
	}
	if len(s.VRRP) > 0 {
		var roles []string
		for _, v := range s.VRRP {
			roles = append(roles, v.Name+" "+v.State)
		}
		x.Output = strings.Join(roles, ", ")
	}
	s.IPVS.LastDrift = "" // it was repaired
	s.Registration = nil  // who reads this is registered
	if notes := show.Notes(s); len(notes) > 0 {
		x.State, x.Output = discovery.Warning, x.Output+"; "+strings.Join(notes, "; ")
	}
	if !healthy(s) {
		x.State = discovery.Critical
	}
	return x
}

// poolHealth is what clients of the virtual server can expect.
func poolHealth(p control.Pool, sorry bool) (discovery.State, string) {
	serving := 0
	for _, srv := range p.Servers {
		if srv.Weight > 0 {
			serving++
		}
	}
	text := fmt.Sprintf("%d of %d real servers serve", serving, len(p.Servers))
	switch {
	case p.QuorumLost && sorry:
		return discovery.Warning, text + ", quorum lost: the sorry server answers"
	case serving == 0:
		return discovery.Critical, text
	case p.QuorumLost:
		return discovery.Warning, text + ", quorum lost"
	case p.Panic:
		return discovery.Warning, text + ", in panic"
	case p.Held != "":
		return discovery.Warning, text + ", HELD: " + p.Held
	case p.Stale:
		return discovery.Warning, text + ", by the last known good catalog"
	}
	return discovery.Passing, text
}

// withRole adds what VRRP says about the address.
func withRole(x consul.Registration, v control.Router) consul.Registration {
	text := v.Name + " " + v.State
	switch v.State {
	case "MASTER":
		x.Tags = append(x.Tags, "active")
	case "BACKUP":
		x.Tags = append(x.Tags, "standby")
	default:
		x.State = discovery.Critical
	}
	if x.Output != "" {
		text += "; " + x.Output
	}
	x.Output = text
	return x
}

// holder finds the VRRP instance of an address.
func holder(s control.Snapshot, addr netip.Addr) *control.Router {
	for i, v := range s.VRRP {
		if slices.ContainsFunc(v.Addresses, func(a control.Address) bool { return a.Prefix.Addr() == addr }) {
			return &s.VRRP[i]
		}
	}
	return nil
}

var notInLabel = regexp.MustCompile(`[^a-zA-Z0-9-]+`)

// label makes a name that DNS can carry.
func label(name string) string {
	name = strings.Trim(notInLabel.ReplaceAllString(name, "-"), "-")
	return strings.TrimRight(name[:min(len(name), 63)], "-")
}

func (a *agent) registrationStatus() *control.Registration {
	if a.source.registrar == nil {
		return nil
	}
	list, err := a.source.registrar.Status()
	out := &control.Registration{Services: []control.Registered{}, Error: err}
	for _, x := range list {
		reg := control.Registered{ID: x.ID, Service: x.Name, Tags: x.Tags, State: x.State.String(), Output: x.Output}
		if x.Address.IsValid() {
			reg.Address = x.Address.String()
		}
		out.Services = append(out.Services, reg)
	}
	return out
}
