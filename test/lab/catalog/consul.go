// Package catalog runs the catalogs and schedulers that a site's services live
// in: Consul, Nomad, and a folder of service definitions.
package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

// frugal is the environment of agents of which an emulated processor has to carry
// a dozen: none shall wake the second one for its own goroutines.
func frugal() []string { return []string{"GOMAXPROCS=1", "GOGC=200"} }

// Consul is a Consul server on the management host, of one node, that keeps
// its data over a restart.
type Consul struct {
	Binary string
	Dir    string // folder for its data
	site   *site.Site
	host   *site.Host
	http   *http.Client
	proc   *site.Proc
	agents []*consulAgent

	address string
}

// consulAgent is a client agent on a host.
type consulAgent struct {
	*Consul
	file string // its configuration
}

// consulConfig makes a single server quick to elect itself and quiet otherwise.
const consulConfig = `
server                = true
bootstrap_expect      = 1
disable_update_check  = true
log_level             = "info"
data_dir              = %q
node_name             = "mgmt"
bind_addr             = %q
client_addr           = "0.0.0.0"
leave_on_terminate    = false
check_update_interval = "0s"
performance { raft_multiplier = 1 }
ports {
  dns      = -1
  grpc     = -1
  grpc_tls = -1
  serf_wan = -1
}
connect { enabled = false }
raft_logstore {
  verification { enabled = false }
}
` + consulGossip

// consulGossip lets agents probe each other less often than every second, and
// wait longer for an answer: none of them comes or goes without the lab.
const consulGossip = `
gossip_lan {
  gossip_interval = "500ms"
  probe_interval  = "5s"
  probe_timeout   = "3s"
}
`

// NewConsul prepares a Consul server; Start starts it.
func NewConsul(s *site.Site, binary, dir string) (*Consul, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create Consul's folder: %w", err)
	}
	c := &Consul{Binary: binary, Dir: dir, site: s, host: s.Mgmt(), http: s.Mgmt().HTTP(10 * time.Second)}
	c.address = c.host.Mgmt.Addr().String() + ":8500"
	config := fmt.Sprintf(consulConfig, filepath.Join(dir, "data"), c.host.Mgmt.Addr())
	if err := os.WriteFile(filepath.Join(dir, "consul.hcl"), []byte(config), 0o644); err != nil {
		return nil, fmt.Errorf("write Consul's configuration: %w", err)
	}
	return c, nil
}

// Address is where the site reaches Consul.
func (c *Consul) Address() string { return c.address }

// Start starts the server and waits until it has elected itself.
func (c *Consul) Start(ctx context.Context) error {
	p, err := c.site.Start(c.host, site.Command{Name: "consul",
		Args: []string{c.Binary, "agent", "-config-file", filepath.Join(c.Dir, "consul.hcl")}, Env: frugal(), Aside: true})
	if err != nil {
		return err
	}
	c.proc = p
	for {
		var leader string
		err := c.call(http.MethodGet, "/v1/status/leader", nil, &leader)
		if err == nil && leader != "" {
			// A leader that has just won does not serve writes yet.
			if err = c.PutKey("lab/ready", "yes"); err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for Consul: %w (last: %w)", context.Cause(ctx), err)
		case <-p.Done():
			return fmt.Errorf("start Consul: it ended; see %s", p.Log)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// consulAgentConfig is a client agent, reached on the host's own loopback.
const consulAgentConfig = `
disable_update_check = true
log_level            = "info"
data_dir             = %q
node_name            = %q
bind_addr            = %q
client_addr          = "127.0.0.1"
retry_join           = [%q]
retry_interval       = "1s"
ports {
  dns      = -1
  grpc     = -1
  grpc_tls = -1
}
` + consulGossip

// StartAgents starts a client agent on each of the hosts and waits until all
// know the server.
func (c *Consul) StartAgents(ctx context.Context, hosts ...*site.Host) error {
	for _, h := range hosts {
		dir := filepath.Join(c.Dir, h.Name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("create Consul's folder: %w", err)
		}
		config := fmt.Sprintf(consulAgentConfig, filepath.Join(dir, "data"), h.Name, h.Mgmt.Addr(), c.host.Mgmt.Addr())
		file := filepath.Join(dir, "consul.hcl")
		if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
			return fmt.Errorf("write Consul's configuration: %w", err)
		}
		c.agents = append(c.agents, &consulAgent{&Consul{Binary: c.Binary, site: c.site, http: h.HTTP(10 * time.Second), host: h, address: "127.0.0.1:8500"}, file})
	}
	if err := c.RestartAgents(); err != nil {
		return err
	}
	return c.Joined(ctx)
}

// RestartAgents starts the client agents that do not run.
func (c *Consul) RestartAgents() error {
	for _, a := range c.agents {
		if a.proc != nil && a.proc.Running() {
			continue
		}
		p, err := c.site.Start(a.host, site.Command{Name: "consul", Args: []string{c.Binary, "agent", "-config-file", a.file}, Env: frugal(), Aside: true})
		if err != nil {
			return err
		}
		a.proc = p
	}
	return nil
}

// Joined waits until all client agents know the server.
func (c *Consul) Joined(ctx context.Context) error {
	for _, a := range c.agents {
		if err := a.joined(ctx); err != nil {
			return err
		}
	}
	return nil
}

// LeaveAgents stops the client agents of hosts, which leave the cluster.
func (c *Consul) LeaveAgents(hosts ...*site.Host) error {
	var staying []*consulAgent
	for _, a := range c.agents {
		if !slices.Contains(hosts, a.host) {
			staying = append(staying, a)
		} else if err := a.proc.Stop(leaveLimit); err != nil {
			return err
		}
	}
	c.agents = staying
	return nil
}

// joined waits until an agent knows a leader.
func (a *consulAgent) joined(ctx context.Context) error {
	for {
		var leader string
		err := a.call(http.MethodGet, "/v1/status/leader", nil, &leader)
		if err == nil && leader != "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for Consul on %s: %w (last: %w)", a.host.Name, context.Cause(ctx), err)
		case <-a.proc.Done():
			return fmt.Errorf("start Consul on %s: it ended; see %s", a.host.Name, a.proc.Log)
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// Kill ends the server with SIGKILL; Start brings it back with its data.
func (c *Consul) Kill() error {
	if err := c.proc.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-c.proc.Done()
	return nil
}

// KillAgents ends the client agents with SIGKILL.
func (c *Consul) KillAgents() error {
	for _, a := range c.agents {
		if err := a.Kill(); err != nil {
			return err
		}
	}
	return nil
}

// Service is a service instance with an HTTP check on the management network.
type Service struct {
	ID, Name string
	Addr     netip.AddrPort
	Weight   int
	Tags     []string
	Meta     map[string]string
	CheckURL string // http://…; empty for no check
}

// Register registers, or re-registers, a service instance.
func (c *Consul) Register(s Service) error {
	body := map[string]any{
		"ID": s.ID, "Name": s.Name, "Address": s.Addr.Addr().String(), "Port": s.Addr.Port(), "Tags": s.Tags, "Meta": s.Meta,
	}
	if s.Weight > 0 {
		body["Weights"] = map[string]int{"Passing": s.Weight, "Warning": 1}
	}
	if s.CheckURL != "" {
		body["Check"] = map[string]string{
			"CheckID": "check:" + s.ID, "HTTP": s.CheckURL, "Interval": "1s", "Timeout": "1s", "Status": "passing",
		}
	}
	return c.call(http.MethodPut, "/v1/agent/service/register", body, nil)
}

// Deregister removes a service instance.
func (c *Consul) Deregister(id string) error {
	return c.call(http.MethodPut, "/v1/agent/service/deregister/"+url.PathEscape(id), nil, nil)
}

// Maintenance switches a service instance's maintenance mode.
func (c *Consul) Maintenance(id string, on bool) error {
	return c.call(http.MethodPut, fmt.Sprintf("/v1/agent/service/maintenance/%s?enable=%t&reason=lab", url.PathEscape(id), on), nil, nil)
}

// Health returns the worst check status of a service instance: passing,
// warning, critical, or "" when it is not in the catalog.
func (c *Consul) Health(name, id string) (string, error) {
	var list []struct {
		Service struct{ ID string }
		Checks  []struct{ Status string }
	}
	if err := c.call(http.MethodGet, "/v1/health/service/"+url.PathEscape(name), nil, &list); err != nil {
		return "", err
	}
	for _, e := range list {
		if e.Service.ID != id {
			continue
		}
		status := "passing"
		for _, k := range e.Checks {
			if k.Status == "critical" || k.Status == "warning" && status == "passing" {
				status = k.Status
			}
		}
		return status, nil
	}
	return "", nil
}

// PutKey sets a key, as consul kv put does.
func (c *Consul) PutKey(key, value string) error {
	return c.call(http.MethodPut, "/v1/kv/"+key, strings.NewReader(value), nil)
}

// DeleteKey deletes a key.
func (c *Consul) DeleteKey(key string) error {
	return c.call(http.MethodDelete, "/v1/kv/"+key, nil, nil)
}

// CLI runs a consul command on the management host.
func (c *Consul) CLI(args ...string) (string, error) {
	return c.site.RunEnv(c.host, []string{"CONSUL_HTTP_ADDR=" + c.Address()}, append([]string{c.Binary}, args...)...)
}

var errAnswer = errors.New("unexpected answer")

// call makes one API call: body goes out as JSON, or as it is when it is a reader.
func (c *Consul) call(method, path string, body, into any) error {
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case io.Reader:
		r = b
	default:
		j, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("encode %s: %w", path, err)
		}
		r = bytes.NewReader(j)
	}
	req, err := http.NewRequest(method, "http://"+c.Address()+path, r)
	if err != nil {
		return fmt.Errorf("call Consul: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("call Consul: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("call Consul: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("call Consul: %s %s: %w: %s: %s", method, path, errAnswer, res.Status, bytes.TrimSpace(b))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("call Consul: %s: %w", path, err)
	}
	return nil
}
