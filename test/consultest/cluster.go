package consultest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// Cluster is three servers and a client agent, as a director has one beside it.
type Cluster struct {
	Servers []*Agent
	Agent   *Agent

	t    testing.TB
	data []string // of the servers
}

// StartCluster runs a cluster until the test ends. A server that is killed is
// missed by the others within about five seconds.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	path, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	const servers, perAgent = 3, 3
	ports, err := FreePorts((servers + 1) * perAgent)
	if err != nil {
		t.Fatal(err)
	}
	var join []string
	for i := range servers {
		join = append(join, fmt.Sprintf("127.0.0.1:%d", ports[i*perAgent+2]))
	}
	c := &Cluster{t: t}
	for i := range servers + 1 {
		own := ports[i*perAgent:]
		dir := t.TempDir()
		conf := map[string]any{
			"node_name": fmt.Sprintf("node-%d", i+1), "bind_addr": "127.0.0.1", "client_addr": "127.0.0.1",
			"data_dir": filepath.Join(dir, "data"), "retry_join": join, "retry_interval": "500ms",
			"disable_update_check": true, "log_level": "info", "check_update_interval": "0s", "leave_on_terminate": false,
			"ports": map[string]int{
				"http": own[0], "server": own[1], "serf_lan": own[2],
				"https": -1, "dns": -1, "grpc": -1, "grpc_tls": -1, "serf_wan": -1,
			},
			"performance": map[string]any{"raft_multiplier": 1},
			"gossip_lan":  map[string]any{"probe_interval": "200ms", "probe_timeout": "100ms", "suspicion_mult": 2, "gossip_interval": "50ms"},
		}
		if i < servers {
			conf["server"], conf["bootstrap_expect"] = true, servers
			c.data = append(c.data, filepath.Join(dir, "data"))
		}
		data, err := json.Marshal(conf)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "agent.json")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		a := &Agent{
			Addr: fmt.Sprintf("127.0.0.1:%d", own[0]), Node: fmt.Sprintf("node-%d", i+1),
			t: t, args: []string{path, "agent", "-config-file", file}, log: filepath.Join(dir, "log"),
		}
		client := &api.Config{Address: a.Addr}
		if a.Client, err = api.NewClient(client); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			a.Kill()
			client.Transport.CloseIdleConnections()
			if t.Failed() {
				if data, err := os.ReadFile(a.log); err == nil {
					t.Logf("the log of %s:\n%s", a.Node, tail(string(data), 20))
				}
			}
		})
		if i < servers {
			c.Servers = append(c.Servers, a)
		} else {
			c.Agent = a
		}
	}
	c.RunServers()
	c.Agent.Run()
	return c
}

// RunServers starts those servers that do not run, and waits until all know a
// leader.
func (c *Cluster) RunServers() {
	c.t.Helper()
	for _, s := range c.Servers {
		if s.cmd == nil {
			s.launch()
		}
	}
	for _, s := range c.Servers {
		s.await()
	}
}

// Leader gives the server that leads.
func (c *Cluster) Leader() *Agent {
	c.t.Helper()
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for _, s := range c.Servers {
			if s.cmd == nil {
				continue
			}
			self, err := s.Client.Agent().Self()
			if err != nil {
				continue
			}
			raft, _ := self["Stats"]["raft"].(map[string]any)
			if raft["state"] == "Leader" {
				return s
			}
		}
	}
	c.t.Fatal("no server leads")
	return nil
}

// Wipe kills all servers and removes what they know.
func (c *Cluster) Wipe() {
	c.t.Helper()
	for _, s := range c.Servers {
		s.Kill()
	}
	for _, d := range c.data {
		if err := os.RemoveAll(d); err != nil {
			c.t.Fatal(err)
		}
	}
}
