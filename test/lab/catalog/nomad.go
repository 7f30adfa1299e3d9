package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

// Nomad is a Nomad server on the management host, with a client agent on each
// director and web host. Clients carry meta role ("director" or "web"); directors
// router_id and priority, web hosts site_address.
type Nomad struct {
	Binary string
	Dir    string
	Consul bool // web hosts have a Consul agent of their own, on loopback
	// Bare leaves the meta to whoever runs Nomad, but for site_address, and
	// names the clients lvs1, lvs2, web1, web2 and so on.
	Bare   bool
	site   *site.Site
	path   []string
	agents []*nomadAgent
}

// nomadAgent is a server or client.
type nomadAgent struct {
	*site.Proc
	host *site.Host
	file string // its configuration
}

const nomadServer = `
name                 = "mgmt"
data_dir             = %q
bind_addr            = %q
disable_update_check = true
log_level            = "INFO"
server {
  enabled          = true
  bootstrap_expect = 1
  raft_multiplier  = 1
  heartbeat_grace  = "30s"
}
`

// cpu_total_compute: an emulated processor has no clock rate to fingerprint.
// leave_on_terminate: SIGTERM is an orderly end, with exit status 0.
// collection_interval: each client counts the processes of each task that often.
const nomadClient = `
name                 = %[1]q
data_dir             = %[2]q
bind_addr            = %[3]q
disable_update_check = true
log_level            = "INFO"
leave_on_terminate   = true
client {
  enabled           = true
  servers           = [%[4]q]
  network_interface = "eth1"
  cpu_total_compute = 4000
  memory_total_mb   = 2048
  cgroup_parent     = "nomad-%[1]s.slice"
  options {
    "fingerprint.denylist" = "env_aws,env_azure,env_gce,env_digitalocean"
    "driver.allowlist"     = "raw_exec"
  }
  meta {
%[5]s  }
}
plugin "raw_exec" {
  config { enabled = true }
}
telemetry {
  collection_interval = "1m"
}
`

const nomadNoConsul = `
consul {
  auto_advertise   = false
  server_auto_join = false
  client_auto_join = false
}
`

// NewNomad prepares Nomad's agents. path lists folders that tasks find their
// programs in, in addition to the usual.
func NewNomad(s *site.Site, binary, dir string, consul bool, path ...string) *Nomad {
	return &Nomad{Binary: binary, Dir: dir, Consul: consul, site: s, path: path}
}

// Address is where the site reaches the server's API.
func (n *Nomad) Address() string { return "http://" + n.site.Mgmt().Mgmt.Addr().String() + ":4646" }

// Start starts the server, and clients on the named hosts, by default on all
// directors and web hosts, and waits until every client is ready.
func (n *Nomad) Start(ctx context.Context, clients ...*site.Host) error {
	mgmt := n.site.Mgmt()
	if err := n.agent(mgmt, fmt.Sprintf(nomadServer, filepath.Join(n.Dir, "mgmt"), mgmt.Mgmt.Addr())); err != nil {
		return err
	}
	// A client that finds no leader, or one that cannot sign identities yet, tries
	// again a quarter of a minute later.
	if err := n.wait(ctx, "the server", n.agents[:1], func() (bool, error) { return n.Logged(mgmt.Name, "initialized keyring") }); err != nil {
		return err
	}
	if len(clients) == 0 {
		clients = slices.Concat(n.site.Directors(), n.site.Webs())
	}
	return n.Join(ctx, clients...)
}

// Join starts clients on further hosts, and waits until every client is ready.
func (n *Nomad) Join(ctx context.Context, clients ...*site.Host) error {
	for _, h := range clients {
		meta := map[string]string{"role": "web", "site_address": h.Addr.Addr().String()}
		switch director := slices.Contains(n.site.Directors(), h); {
		case n.Bare:
			meta = map[string]string{"site_address": h.Addr.Addr().String()}
		case director:
			meta = map[string]string{"role": "director", "router_id": "lvs" + h.Name[1:], "priority": map[string]string{"d1": "100", "d2": "90"}[h.Name]}
		}
		var b strings.Builder
		for k, v := range meta {
			fmt.Fprintf(&b, "    %s = %q\n", k, v)
		}
		err := n.agent(h, fmt.Sprintf(nomadClient, n.name(h), filepath.Join(n.Dir, h.Name), h.Mgmt.Addr(), n.site.Mgmt().Mgmt.Addr().String()+":4647", b.String()))
		if err != nil {
			return err
		}
	}
	return n.ready(ctx)
}

// Leave stops the clients of hosts, which have no tasks any more.
func (n *Nomad) Leave(hosts ...*site.Host) error {
	var staying []*nomadAgent
	for _, a := range n.agents {
		if !slices.Contains(hosts, a.host) {
			staying = append(staying, a)
		} else if err := a.Stop(leaveLimit); err != nil {
			return err
		}
	}
	n.agents = staying
	return nil
}

// leaveLimit is how long an agent may take to leave.
const leaveLimit = 30 * time.Second

// ready waits until all clients are.
func (n *Nomad) ready(ctx context.Context) error {
	return n.wait(ctx, "the clients", n.agents, func() (bool, error) {
		out, err := n.CLI("node", "status", "-t", "{{range .}}{{.Name}}={{.Status}} {{end}}")
		return err == nil && strings.Count(out, "=ready") == len(n.agents)-1, err
	})
}

var errNotYet = errors.New("not yet")

// wait asks every second, as long as the agents run.
func (n *Nomad) wait(ctx context.Context, what string, agents []*nomadAgent, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok {
			return nil
		}
		if err == nil {
			err = errNotYet
		}
		for _, a := range agents {
			if !a.Running() {
				return fmt.Errorf("start Nomad on %s: it ended; see %s", a.host.Name, a.Log)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for Nomad, %s: %w (last: %w)", what, context.Cause(ctx), err)
		case <-time.After(time.Second):
		}
	}
}

// name is what a host is called in Nomad.
func (n *Nomad) name(h *site.Host) string {
	if n.Bare {
		return strings.NewReplacer("d", "lvs", "w", "web").Replace(h.Name)
	}
	return h.Name
}

func (n *Nomad) agent(h *site.Host, config string) error {
	dir := filepath.Join(n.Dir, h.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create Nomad's folder: %w", err)
	}
	// Each Nomad client keeps the services of its Consul agent equal to its own
	// tasks, so no two may share an agent.
	if !n.Consul || !slices.Contains(n.site.Webs(), h) {
		config += nomadNoConsul
	}
	file := filepath.Join(dir, "nomad.hcl")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return fmt.Errorf("write Nomad's configuration: %w", err)
	}
	a := &nomadAgent{host: h, file: file}
	n.agents = append(n.agents, a)
	return n.start(a)
}

func (n *Nomad) start(a *nomadAgent) (err error) {
	path := strings.Join(append(slices.Clone(n.path), os.Getenv("PATH")), ":")
	a.Proc, err = n.site.Start(a.host, site.Command{Name: "nomad", Args: []string{n.Binary, "agent", "-config", a.file}, Env: append(frugal(), "PATH="+path), Aside: true})
	return err
}

// Kill ends the server and all clients with SIGKILL, and not the tasks.
func (n *Nomad) Kill() error {
	for _, a := range n.agents {
		if err := a.Signal(syscall.SIGKILL); err != nil {
			return err
		}
		<-a.Done()
	}
	return nil
}

// Restart starts them again, with their data, and waits until every client is
// ready.
func (n *Nomad) Restart(ctx context.Context) error {
	for i, a := range n.agents {
		if err := n.start(a); err != nil {
			return err
		}
		if i > 0 {
			continue
		}
		err := n.wait(ctx, "the server", n.agents[:1], func() (bool, error) { _, err := n.CLI("node", "status"); return err == nil, err })
		if err != nil {
			return err
		}
	}
	return n.ready(ctx)
}

// CLI runs a nomad command on the management host.
func (n *Nomad) CLI(args ...string) (string, error) {
	env := []string{"NOMAD_ADDR=" + n.Address(), "NOMAD_CLI_NO_COLOR=1"}
	return n.site.RunEnv(n.site.Mgmt(), env, append([]string{n.Binary}, args...)...)
}

// RunJob runs a job file with variables, NAME=value each, without waiting for
// its deployment.
func (n *Nomad) RunJob(file string, vars ...string) error {
	args := []string{"job", "run", "-detach"}
	for _, v := range vars {
		args = append(args, "-var", v)
	}
	_, err := n.CLI(append(args, file)...)
	return err
}

// StopJob stops a job without waiting for the end of its tasks.
func (n *Nomad) StopJob(name string) error {
	_, err := n.CLI("job", "stop", "-detach", name)
	return err
}

// StopOn ends a job's allocation on one host for good: the host is made
// ineligible, so that no replacement starts there.
func (n *Nomad) StopOn(job, host string) error {
	id, err := n.CLI("node", "status", "-t", fmt.Sprintf(`{{range .}}{{if eq .Name %q}}{{.ID}}{{end}}{{end}}`, host))
	if err != nil {
		return err
	}
	if _, err := n.CLI("node", "eligibility", "-disable", strings.TrimSpace(id)); err != nil {
		return err
	}
	alloc, err := n.CLI("job", "allocs", "-t", fmt.Sprintf(`{{range .}}{{if and (eq .NodeName %q) (eq .ClientStatus "running")}}{{.ID}}{{end}}{{end}}`, host), job)
	if err != nil {
		return err
	}
	_, err = n.CLI("alloc", "stop", "-detach", strings.TrimSpace(alloc))
	return err
}

// KeepLogs copies what the tasks wrote to the site's logs; Nomad's own folders
// go with the site.
func (n *Nomad) KeepLogs() error {
	logs, err := filepath.Glob(filepath.Join(n.Dir, "*", "alloc", "*", "alloc", "logs", "*.std*"))
	if err != nil {
		return fmt.Errorf("list task logs: %w", err)
	}
	for _, path := range logs {
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			continue // Nomad's log collectors read from pipes beside the files
		}
		rel, err := filepath.Rel(n.Dir, path)
		if err != nil {
			return fmt.Errorf("keep task logs: %w", err)
		}
		part := strings.Split(rel, string(filepath.Separator)) // host/alloc/ID/alloc/logs/task.stream.N
		b, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("keep task logs: %w", err)
		}
		name := fmt.Sprintf("%s-task-%s-%.8s.log", part[0], part[len(part)-1], part[2])
		if err := os.WriteFile(filepath.Join(n.site.Out(), name), b, 0o644); err != nil {
			return fmt.Errorf("keep task logs: %w", err)
		}
	}
	return nil
}

// Running returns how many allocations of a job run.
func (n *Nomad) Running(job string) (int, error) {
	out, err := n.CLI("job", "allocs", "-t", `{{range .}}{{.ClientStatus}} {{end}}`, job)
	return strings.Count(out, "running"), err
}

// Logged reports whether the agent on a host has logged text.
func (n *Nomad) Logged(host, text string) (bool, error) {
	for _, p := range n.agents {
		if p.host.Name != host {
			continue
		}
		b, err := os.ReadFile(p.Log)
		if err != nil {
			return false, fmt.Errorf("read Nomad's log: %w", err)
		}
		return strings.Contains(string(b), text), nil
	}
	return false, fmt.Errorf("no Nomad agent on %s", host)
}
