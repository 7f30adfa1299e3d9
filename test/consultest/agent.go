// Package consultest starts a real Consul for tests: one agent that is server
// and client, on free loopback ports, in a folder that goes with the test.
//
// The program is consul on PATH, else
// ${EDGEKEEPER_CACHE:-~/.cache/edgekeeper}/bin/consul. Where there is none the
// test fails: a test that was asked for and cannot run is no success. Tests
// that use it stand behind the build tag consul.
package consultest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// startTimeout is how long an agent may take until it has a leader and knows
// its own node.
const startTimeout = 60 * time.Second

// RootToken may do everything where ACLs are on.
const RootToken = "5ca1ab1e-0000-4000-8000-000000000001"

// Options of an agent.
type Options struct {
	// Keep makes the agent keep its data over a restart. Without, it runs in
	// dev mode: leader in a fraction of a second, and a restart begins anew.
	Keep bool

	// ACL turns ACLs on with default policy deny; RootToken may do everything.
	ACL bool

	// NoStreaming makes the agent answer from blocking queries of its servers.
	NoStreaming bool

	// DNS makes the agent answer DNS on a port of its own.
	DNS bool

	// HTTPS makes the agent answer over TLS, too, with the certificates that
	// Config names.
	HTTPS bool

	// Config is merged into the agent's configuration, key by key.
	Config map[string]any
}

// Agent is a running Consul.
type Agent struct {
	Addr   string      // host:port of its HTTP interface
	Node   string      // its node name
	DNS    string      // host:port of its DNS, with Options.DNS
	HTTPS  string      // host:port of its HTTP interface over TLS, with Options.HTTPS
	Client *api.Client // with RootToken where ACLs are on

	t    testing.TB
	args []string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// Find gives the path of the consul program.
func Find() (string, error) {
	if path, err := exec.LookPath("consul"); err == nil {
		return path, nil
	}
	cache := os.Getenv("EDGEKEEPER_CACHE")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the cache folder: %w", err)
		}
		cache = filepath.Join(home, ".cache", "edgekeeper")
	}
	path := filepath.Join(cache, "bin", "consul")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no consul on PATH and none at %s; build the pinned one with: go build -C test/tools/consul -o %s github.com/hashicorp/consul", path, path)
	}
	return path, nil
}

// Start runs an agent until the test ends and fails the test where it cannot.
func Start(t testing.TB, o Options) *Agent {
	t.Helper()
	path, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ports, err := FreePorts(5)
	if err != nil {
		t.Fatal(err)
	}
	conf := map[string]any{
		"node_name":            "node-1",
		"bind_addr":            "127.0.0.1",
		"client_addr":          "127.0.0.1",
		"disable_update_check": true,
		"log_level":            "info",
		"ports": map[string]int{
			"http": ports[0], "server": ports[1], "serf_lan": ports[2],
			"https": -1, "dns": -1, "grpc": -1, "grpc_tls": -1, "serf_wan": -1,
		},
		// A check's new output reaches the catalog at once and not after minutes.
		"check_update_interval": "0s",
		"performance":           map[string]any{"raft_multiplier": 1, "leave_drain_time": "0s"},
		"leave_on_terminate":    false,
		"use_streaming_backend": !o.NoStreaming,
	}
	if o.DNS {
		conf["ports"].(map[string]int)["dns"] = ports[3]
	}
	if o.HTTPS {
		conf["ports"].(map[string]int)["https"] = ports[4]
	}
	if o.Keep {
		conf["server"], conf["bootstrap_expect"], conf["data_dir"] = true, 1, filepath.Join(dir, "data")
	}
	if o.ACL {
		conf["acl"] = map[string]any{
			"enabled": true, "default_policy": "deny", "down_policy": "extend-cache", "token_ttl": "0s", "policy_ttl": "0s", "role_ttl": "0s",
			"tokens": map[string]string{"initial_management": RootToken, "agent": RootToken},
		}
	}
	for k, v := range o.Config {
		conf[k] = v
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
		Addr:  fmt.Sprintf("127.0.0.1:%d", ports[0]),
		Node:  "node-1",
		DNS:   fmt.Sprintf("127.0.0.1:%d", ports[3]),
		HTTPS: fmt.Sprintf("127.0.0.1:%d", ports[4]),
		t:     t,
		args:  []string{path, "agent", "-config-file", file},
		log:   filepath.Join(dir, "log"),
	}
	if !o.Keep {
		a.args = append(a.args, "-dev")
	}
	client := &api.Config{Address: a.Addr}
	if o.ACL {
		client.Token = RootToken
	}
	if a.Client, err = api.NewClient(client); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Kill()
		client.Transport.CloseIdleConnections()
		if t.Failed() {
			if data, err := os.ReadFile(a.log); err == nil {
				t.Logf("the agent's log:\n%s", tail(string(data), 60))
			}
		}
	})
	a.Run()
	return a
}

// Run starts the agent again after Kill and waits until it can be used.
func (a *Agent) Run() {
	a.t.Helper()
	a.launch()
	a.await()
}

// launch starts the process.
func (a *Agent) launch() {
	a.t.Helper()
	log, err := os.OpenFile(a.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		a.t.Fatal(err)
	}
	defer log.Close()
	a.cmd = exec.Command(a.args[0], a.args[1:]...)
	a.cmd.Stdout, a.cmd.Stderr = log, log
	a.cmd.Env = clean(os.Environ())
	if err := a.cmd.Start(); err != nil {
		a.t.Fatalf("start consul: %v", err)
	}
	done := make(chan struct{})
	a.done = done
	cmd := a.cmd
	go func() {
		cmd.Wait()
		close(done)
	}()
}

// await waits until the agent can be used.
func (a *Agent) await() {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for !a.ready(ctx) {
		select {
		case <-a.done:
			a.t.Fatal("consul ended while it started")
		case <-ctx.Done():
			a.t.Fatalf("consul has no leader after %v", startTimeout)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ready: there is a leader, and it has put the agent's own node and its health
// into the catalog.
func (a *Agent) ready(ctx context.Context) bool {
	q := (&api.QueryOptions{}).WithContext(ctx)
	checks, _, err := a.Client.Health().Node(a.Node, q)
	return err == nil && len(checks) > 0
}

// Kill ends the agent as a crash does and waits until it is gone.
func (a *Agent) Kill() {
	if a.cmd == nil {
		return
	}
	a.cmd.Process.Kill()
	<-a.done
	a.cmd = nil
}

// Process gives the running agent's process, for signals.
func (a *Agent) Process() *os.Process { return a.cmd.Process }

// Register registers a service with the agent.
func (a *Agent) Register(s *api.AgentServiceRegistration) {
	a.t.Helper()
	if err := a.Client.Agent().ServiceRegister(s); err != nil {
		a.t.Fatalf("register service: %v", err)
	}
}

// clean takes variables away that would turn an agent or client elsewhere.
func clean(env []string) []string {
	var out []string
	for _, v := range env {
		if !strings.HasPrefix(v, "CONSUL_") {
			out = append(out, v)
		}
	}
	return out
}

// Ports that FreePorts gives are below those that the kernel hands out to clients
// and listeners without a wish (net.ipv4.ip_local_port_range, from 32768 on), and
// those of Nomad's allocations: nobody takes the port of a server that is stopped
// for a while.
const firstPort, allPorts = 10000, 10000

// FreePorts gives ports of the loopback address that nobody listens on, for TCP and
// UDP.
func FreePorts(n int) ([]int, error) {
	var free []int
	for range 100 * n {
		port := firstPort + rand.IntN(allPorts)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer l.Close()
		u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer u.Close()
		if free = append(free, port); len(free) == n {
			return free, nil
		}
	}
	return nil, fmt.Errorf("find %d free ports: none", n)
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
