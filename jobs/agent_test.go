//go:build consul

package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/test/binaries"
	"github.com/edgekeeper/edgekeeper/test/consultest"
)

// agent runs a real Nomad, server and client in one, until the test ends; consul
// is merged over the part of its configuration that is about Consul.
func agent(t *testing.T, consul map[string]any) *api.Config {
	t.Helper()
	cfg := start(t, "lvs1", server(consul))
	ready(t, cfg, 1)
	return cfg
}

// server configures the only server of a region; consul is as in agent.
func server(consul map[string]any) map[string]any {
	withConsul := map[string]any{"auto_advertise": false, "server_auto_join": false, "client_auto_join": false}
	maps.Copy(withConsul, consul)
	return map[string]any{
		"server": map[string]any{"enabled": true, "bootstrap_expect": 1, "raft_multiplier": 1},
		"consul": withConsul,
	}
}

// start runs a Nomad client, and whatever conf adds, until the test ends.
func start(t *testing.T, name string, conf map[string]any) *api.Config {
	t.Helper()
	program, err := binaries.Nomad(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ports, err := consultest.FreePorts(3)
	if err != nil {
		t.Fatal(err)
	}
	local := map[string]string{"http": "127.0.0.1", "rpc": "127.0.0.1", "serf": "127.0.0.1"}
	client := map[string]any{
		"enabled": true, "cpu_total_compute": 4000, "meta": map[string]string{"role": "director", VersionMeta: "1.0.0"},
		"options": map[string]string{"fingerprint.denylist": "env_aws,env_azure,env_gce,env_digitalocean", "driver.allowlist": "raw_exec"},
	}
	if servers, ok := conf["servers"]; ok {
		client["servers"] = servers
		delete(conf, "servers")
	}
	all := map[string]any{
		"name": name, "data_dir": filepath.Join(dir, "data"), "bind_addr": "127.0.0.1", "advertise": local, "disable_update_check": true,
		"ports":  map[string]int{"http": ports[0], "rpc": ports[1], "serf": ports[2]},
		"client": client,
		"plugin": map[string]any{"raw_exec": map[string]any{"config": map[string]any{"enabled": true}}},
	}
	maps.Copy(all, conf)
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "nomad.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "nomad.log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "agent", "-config", file)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cfg := &api.Config{Address: fmt.Sprintf("http://127.0.0.1:%d", ports[0])}
	t.Cleanup(func() {
		stopTasks(t, cfg)
		cancel()
		_ = cmd.Wait() // it was told to end
		// Its helpers (nomad logmon) wait for a Nomad that finds them again.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		killLeft(t, dir)
		_ = log.Close()
		unmount(t, dir)
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("nomad said:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return cfg
}

// ready waits until as many nodes are.
func ready(t *testing.T, cfg *api.Config, want int) {
	t.Helper()
	c, err := api.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		nodes, _, err := c.Nodes().List(read(t.Context()))
		have := 0
		for _, n := range nodes {
			if n.Status == api.NodeStatusReady {
				have++
			}
		}
		if have == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d nodes of Nomad are ready: %v", have, want, err)
		}
	}
}

// stopTasks ends what a failed test has left running, which would outlive Nomad.
func stopTasks(t *testing.T, cfg *api.Config) {
	c, err := New(cfg, nil)
	if err != nil {
		return
	}
	list, _, err := c.nomad.Jobs().List(nil)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, j := range list {
		if err := c.Stop(ctx, j.ID, true, false); err != nil {
			t.Log(err)
		}
	}
}

// killLeft ends what an agent whose folder that is has left outside of its process
// group: tasks that Nomad had not stopped yet, and their executors.
func killLeft(t *testing.T, dir string) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Error(err)
	}
	for _, proc := range all {
		pid, _ := strconv.Atoi(filepath.Base(proc))
		args, _ := os.ReadFile(proc + "/cmdline") // of one that has ended meanwhile: nothing
		cwd, _ := os.Readlink(proc + "/cwd")
		if strings.Contains(string(args), dir) || strings.HasPrefix(cwd, dir) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// unmount takes off what Nomad mounts in the folders of tasks and leaves there
// when it ends before they are collected.
func unmount(t *testing.T, dir string) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], dir) {
			if err := unix.Unmount(f[1], 0); err != nil {
				t.Errorf("unmount %s: %v", f[1], err)
			}
		}
	}
}
