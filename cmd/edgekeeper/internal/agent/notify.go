package agent

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/notify"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// notifyTime bounds how long a stop waits, once the addresses are gone, for
// those who are to hear of it.
const notifyTime = 2 * time.Second

// target is a notify target that was made, and of what.
type target struct {
	cfg   config.Notify
	route notify.Route
}

// makeTargets makes the targets of a configuration. One that is as it was stays
// the same, with the pipe it holds open. It opens nothing and starts nothing.
func (a *agent) makeTargets(cfg *config.Config) ([]target, error) {
	var out []target
	for _, n := range cfg.Notify {
		if i := slices.IndexFunc(a.targets, func(t target) bool { return reflect.DeepEqual(t.cfg, n) }); i >= 0 {
			out = append(out, a.targets[i])
			continue
		}
		wants, err := audience(n)
		if err != nil {
			return nil, err
		}
		to, err := a.makeTarget(n)
		if err != nil {
			return nil, fmt.Errorf("notify %s: %w", n.Name, err)
		}
		retries := n.Retries
		if n.FIFO != nil {
			retries = notify.Forever // the newest line of each object waits for room in the pipe
		}
		out = append(out, target{n, notify.Route{Name: n.Name, Target: to, Wants: wants, Timeout: n.Timeout, Retries: retries}})
	}
	return out, nil
}

func (a *agent) makeTarget(n config.Notify) (notify.Target, error) {
	switch {
	case n.Exec != nil:
		return &notify.Exec{Command: n.Exec.Command, Arguments: n.Exec.Arguments}, nil
	case n.FIFO != nil:
		return &notify.FIFO{Path: n.FIFO.Path}, nil
	case n.Webhook != nil:
		return notify.NewWebhook(notify.WebhookConfig{
			URL: n.Webhook.URL, Header: n.Webhook.Header, Secret: n.Webhook.Secret.Reveal(), CAFile: n.Webhook.CACert,
			Run: strconv.FormatInt(a.begun.UnixNano(), 36),
		})
	default:
		m := n.Mail
		return notify.NewMail(notify.MailConfig{
			Host: m.Host, Port: m.Port, Encryption: notify.Encryption(m.TLS), CAFile: m.CACert, Helo: m.Helo,
			Username: m.Username, Password: m.Password.Reveal(), From: m.From, To: m.To,
		})
	}
}

// audience tells which events a target is told.
func audience(n config.Notify) (func(notify.Event) bool, error) {
	kinds := map[notify.Kind]bool{}
	for _, name := range n.Events {
		k, err := notify.ParseKind(name)
		if err != nil {
			return nil, fmt.Errorf("notify %s: %w", n.Name, err)
		}
		kinds[k] = true
	}
	return func(e notify.Event) bool {
		ofInstance := e.Kind == notify.VRRP || e.Kind == notify.Group || e.Kind == notify.Priority || e.Kind == notify.Trouble
		return kinds[e.Kind] &&
			(!ofInstance || n.Instances == nil || slices.Contains(n.Instances, e.Object)) &&
			(e.Kind != notify.VRRP && e.Kind != notify.Group || n.States == nil || slices.Contains(n.States, e.State))
	}, nil
}

// useTargets tells these targets from now on.
func (a *agent) useTargets(targets []target) {
	a.targets = targets
	routes := make([]notify.Route, len(targets))
	for i, t := range targets {
		routes[i] = t.route
	}
	a.queue.Set(routes)
}

// flush gives the targets their time at a stop.
func (a *agent) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	a.queue.Flush(ctx)
}

// tell hands an event to the targets; it never waits.
func (a *agent) tell(e notify.Event) {
	e.RouterID = a.opts.Config.RouterID // cannot change while the director runs
	a.queue.Put(e)
}

// stateWord is keepalived's word for a state: what it calls STOP is Init.
func stateWord(s vrrp.State) string {
	if s == vrrp.Init {
		return "STOP"
	}
	return s.String()
}

// tellRole is called by the runner, not by the loop.
func (a *agent) tellRole(name string, role instance.Role) {
	e := notify.Event{Kind: notify.VRRP, Object: name, At: role.At, State: stateWord(role.State), Priority: role.Priority, Reason: role.Reason.String()}
	if role.Previous != vrrp.Init {
		e.Previous = stateWord(role.Previous)
	}
	a.tell(e)
}

// tellPriority uses the words of keepalived's notify_priority_changes,
// MASTER_PRIORITY and BACKUP_PRIORITY.
func (a *agent) tellPriority(x *router, priority uint8, text string) {
	if state := x.runner.Status().State; state != vrrp.Init {
		a.tell(notify.Event{Kind: notify.Priority, Object: x.cfg.Router.Name, State: state.String() + "_PRIORITY", Priority: priority, Reason: text})
	}
}

// tellPool tells what changed between two decisions about a pool; was is empty
// at the first. That a real server is up is told when it was not before; that a
// new one is goes without saying.
func (a *agent) tellPool(was, d discovery.Decision) {
	name := d.Spec.Name
	for _, c := range []struct {
		aspect      string
		before, now bool
		begun, over string
		reason      string
	}{
		{"held", was.Held != "", d.Held != "", "HELD", "RELEASED", d.Held},
		{"frozen", was.Want.Hold != "", d.Want.Hold != "", "FROZEN", "THAWED", d.Want.Hold},
		{"panic", was.Panic, d.Panic, "PANIC", "PANIC_OVER", "too few healthy real servers, so all are used"},
		{"quorum", was.QuorumLost, d.QuorumLost, "QUORUM_LOST", "QUORUM_REGAINED", "the weight of the real servers that serve is below quorum"},
	} {
		e := notify.Event{Kind: notify.Pool, Object: name, Aspect: c.aspect}
		switch {
		case c.now && !c.before:
			e.State, e.Reason = c.begun, c.reason
		case c.before && !c.now:
			e.State, e.Previous = c.over, c.begun
		default:
			continue
		}
		a.tell(e)
	}
	if len(a.targets) == 0 {
		return
	}
	before := make(map[netip.AddrPort]discovery.ServerState, len(was.Servers))
	for _, s := range was.Servers {
		before[s.Addr] = s.State
	}
	for _, s := range d.Servers {
		prev, now := "UP", serverWord(s.State)
		if p, ok := before[s.Addr]; ok {
			prev = orElse(serverWord(p), prev)
		}
		delete(before, s.Addr)
		if now != "" && now != prev {
			a.tell(notify.Event{Kind: notify.Server, Object: name + " " + s.Addr.String(), State: now, Previous: prev, Reason: s.Reason})
		}
	}
	for _, s := range was.Servers {
		if _, gone := before[s.Addr]; gone && serverWord(s.State) != "" {
			a.tell(notify.Event{Kind: notify.Server, Object: name + " " + s.Addr.String(), State: "GONE", Previous: serverWord(s.State), Reason: "it is no longer a real server of the pool"})
		}
	}
}

// serverWord is what targets are told of a real server; empty: nothing yet.
func serverWord(s discovery.ServerState) string {
	switch s {
	case discovery.Serving, discovery.HeldBack, discovery.Kept:
		return "UP"
	case discovery.Failed:
		return "DOWN"
	case discovery.Drained:
		return "DRAINED"
	case discovery.Leaving:
		return "LEAVING"
	case discovery.Entering, discovery.Unusable, discovery.Standby:
	}
	return ""
}

func (a *agent) notifyStatus() []control.NotifyTarget {
	var out []control.NotifyTarget
	for _, s := range a.queue.Status() {
		t := control.NotifyTarget{
			Name: s.Name, Delivered: s.Delivered, Failed: s.Failed, Coalesced: s.Coalesced, Queued: s.Queued, Failing: s.Failing, LastError: s.LastError,
		}
		if !s.ErrorAt.IsZero() {
			t.ErrorAt = &s.ErrorAt
		}
		out = append(out, t)
	}
	return out
}
