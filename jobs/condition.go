package jobs

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// condition is the part of `edgekeeper status -json` that an upgrade goes by.
type condition struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Config  struct {
		Refused string `json:"refused"`
	} `json:"config"`
	Routers []routerCondition `json:"vrrp"`
	Pools   []poolCondition   `json:"pools"`
	IPVS    struct {
		InSync bool           `json:"in_sync"`
		Error  string         `json:"error"`
		Sync   *syncCondition `json:"connection_sync"`
	} `json:"ipvs"`
	Sources []struct {
		Query string `json:"query"`
		Error string `json:"error"`
	} `json:"sources"`
}

type routerCondition struct {
	Name         string    `json:"name"`
	Group        string    `json:"sync_group"`
	State        string    `json:"state"`
	Reason       string    `json:"reason"`
	Since        time.Time `json:"since"`
	Priority     uint8     `json:"priority"`
	Base         uint8     `json:"base_priority"`
	Configured   uint8     `json:"config_priority"`
	PriorityFrom string    `json:"priority_from"`
	Preempt      *bool     `json:"preempt"` // nil: a program that does not tell
	Master       string    `json:"master"`
	Received     uint64    `json:"adverts_received"`
	Troubles     []struct {
		Kind    string     `json:"kind"`
		Peer    string     `json:"peer"`
		Detail  string     `json:"detail"`
		Cleared *time.Time `json:"cleared"`
	} `json:"troubles"`
	Error string `json:"error"`
}

type poolCondition struct {
	Name       string   `json:"name"`
	Held       string   `json:"held"`
	Stale      bool     `json:"stale"`
	QuorumLost bool     `json:"quorum_lost"`
	Waiting    []string `json:"waiting"`
	Error      string   `json:"error"`
	Standby    string   `json:"standby"`
	Servers    []struct {
		Address netip.AddrPort `json:"address"`
		Weight  int            `json:"weight"`
		Kernel  *struct {
			Active   uint32 `json:"active"`
			Inactive uint32 `json:"inactive"`
		} `json:"kernel"`
	} `json:"servers"`
}

type syncCondition struct {
	State string `json:"state"`
	Error string `json:"error"`
}

const (
	master = "MASTER"
	backup = "BACKUP"
)

// release is the version without the revision behind it.
func (c *condition) release() string {
	first, _, _ := strings.Cut(c.Version, " ")
	return first
}

// unit is what an order for the instance names: its sync group, or itself.
func (r *routerCondition) unit() string {
	if r.Group != "" {
		return r.Group
	}
	return r.Name
}

// preempts is whether it would take over from a master of lower priority; of a
// program that does not tell, the worse is assumed.
func (r *routerCondition) preempts() bool { return r.Preempt == nil || *r.Preempt }

func (c *condition) router(name string) *routerCondition {
	for i := range c.Routers {
		if c.Routers[i].Name == name {
			return &c.Routers[i]
		}
	}
	return nil
}

// masterOf lists the instances of which the director is master.
func (c *condition) masterOf() []string {
	var out []string
	for _, r := range c.Routers {
		if r.State == master {
			out = append(out, r.Name)
		}
	}
	return out
}

// roles is its part in words: "VI_1 MASTER 100".
func (c *condition) roles() string {
	out := make([]string, 0, len(c.Routers))
	for _, r := range c.Routers {
		out = append(out, fmt.Sprintf("%s %s %d", r.Name, r.State, r.Priority))
	}
	return strings.Join(out, ", ")
}

// alarms are the troubles with other routers that last, by instance.
func (c *condition) alarms() []string {
	var out []string
	for _, r := range c.Routers {
		for _, t := range r.Troubles {
			if t.Cleared == nil {
				out = append(out, strings.TrimSpace(fmt.Sprintf("%s: %s %s", r.Name, t.Kind, t.Peer))+": "+t.Detail)
			}
		}
	}
	return out
}

// ailing are the pools that are not as they should be, each with the reason.
func (c *condition) ailing() []string {
	var out []string
	for _, p := range c.Pools {
		switch {
		case p.Error != "":
			out = append(out, fmt.Sprintf("pool %s: %s", p.Name, p.Error))
		case len(p.Waiting) > 0:
			out = append(out, fmt.Sprintf("pool %s has no answer yet of %s", p.Name, strings.Join(p.Waiting, ", ")))
		case p.Stale:
			out = append(out, fmt.Sprintf("pool %s is stale: it is what was known before the start", p.Name))
		case p.Held != "":
			out = append(out, fmt.Sprintf("pool %s is held: %s", p.Name, p.Held))
		case p.QuorumLost:
			out = append(out, fmt.Sprintf("pool %s has lost its quorum", p.Name))
		}
	}
	return out
}

// lacks says what keeps a director from being one that may take over, or serve:
// adverts not heard, pools not loaded, the kernel's table not as wanted.
func (c *condition) lacks() []string {
	var out []string
	if c.Config.Refused != "" {
		out = append(out, "its configuration was refused: "+c.Config.Refused)
	}
	for _, r := range c.Routers {
		switch {
		case r.Error != "":
			out = append(out, fmt.Sprintf("%s: %s", r.Name, r.Error))
		case r.State != master && r.State != backup:
			out = append(out, fmt.Sprintf("%s is %s: %s", r.Name, r.State, r.Reason))
		case r.State == backup && (r.Received == 0 || r.Master == ""):
			out = append(out, r.Name+" has heard no advert")
		}
	}
	out = append(out, c.ailing()...)
	for _, s := range c.Sources {
		if s.Error != "" {
			out = append(out, fmt.Sprintf("%s: %s", s.Query, s.Error))
		}
	}
	if c.IPVS.Error != "" {
		out = append(out, "IPVS: "+c.IPVS.Error)
	} else if !c.IPVS.InSync {
		out = append(out, "the kernel's table is not as wanted yet")
	}
	if s := c.IPVS.Sync; s != nil && s.Error != "" {
		out = append(out, "connection sync: "+s.Error)
	} else if s != nil && s.State != "master" && s.State != "backup" {
		out = append(out, "connection sync is "+s.State)
	}
	return out
}

// missing names what of a director's pools another one has not loaded: real
// servers with weight that are not in its kernel.
func (c *condition) missing(of *condition) []string {
	have := map[string]bool{}
	for _, p := range c.Pools {
		have[p.Name] = true
		for _, s := range p.Servers {
			if s.Kernel != nil {
				have[p.Name+" "+s.Address.String()] = true
			}
		}
	}
	var out []string
	for _, p := range of.Pools {
		if p.Standby != "" {
			continue
		}
		if !have[p.Name] {
			out = append(out, "it has no pool "+p.Name)
			continue
		}
		for _, s := range p.Servers {
			if s.Kernel != nil && s.Weight > 0 && !have[p.Name+" "+s.Address.String()] {
				out = append(out, fmt.Sprintf("pool %s has not loaded %s", p.Name, s.Address))
			}
		}
	}
	return out
}

// loaded counts its pools, and their real servers in the kernel.
func (c *condition) loaded() (pools, servers int) {
	for _, p := range c.Pools {
		for _, s := range p.Servers {
			if s.Kernel != nil {
				servers++
			}
		}
	}
	return len(c.Pools), servers
}

// open counts the connections in its table that are established, and all.
func (c *condition) open() (established, all uint32) {
	for _, p := range c.Pools {
		for _, s := range p.Servers {
			if s.Kernel != nil {
				established += s.Kernel.Active
				all += s.Kernel.Active + s.Kernel.Inactive
			}
		}
	}
	return established, all
}

// flap says what has changed on a director that nobody touched since it was in
// the condition before; "" for nothing.
func (c *condition) flap(before *condition) string {
	if c.PID != before.PID || !c.Started.Equal(before.Started) {
		return "the director was started again, and not by this upgrade"
	}
	for _, b := range before.Routers {
		r := c.router(b.Name)
		switch {
		case r == nil:
			return b.Name + " is gone from its configuration"
		case r.State != b.State:
			return fmt.Sprintf("%s went from %s to %s: %s", r.Name, b.State, r.State, r.Reason)
		case !r.Since.Equal(b.Since):
			return fmt.Sprintf("%s left the state %s and came back to it: %s", r.Name, r.State, r.Reason)
		}
	}
	for _, list := range [][2][]string{{before.alarms(), c.alarms()}, {before.ailing(), c.ailing()}} {
		if now := list[1]; len(now) > len(list[0]) {
			return now[len(now)-1]
		}
	}
	return ""
}
