//go:build consul

package jobs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// playing is what runs in the place of the directors: it knows its node from
// EDGEKEEPER_SOCKET, and who is master from a file that all of them share.
const playing = `#!/bin/sh
dir=DIR version=VERSION node=$EDGEKEEPER_SOCKET
case $1 in
director)
	echo $$ > $dir/$node.pid
	if [ $(cat $dir/master) = $node ]; then echo "$node was master" >> $dir/mistakes; fi
	exec sleep 3600 ;;
cleanup) exit 0 ;;
handover)
	for other in lvs1 lvs2; do [ $other = $node ] || echo $other > $dir/master; done
	echo '[{"instance":"VI_1","to":"192.0.2.2","seconds":0.5}]' ;;
status)
	state=BACKUP heard=1 from=192.0.2.2
	if [ $(cat $dir/master) = $node ]; then state=MASTER heard=0 from=; fi
	echo "{\"version\":\"$version\",\"pid\":$(cat $dir/$node.pid),\"ipvs\":{\"in_sync\":true},\"vrrp\":[{\"name\":\"VI_1\",\"state\":\"$state\",\"priority\":100,\"preempt\":false,\"master\":\"$from\",\"adverts_received\":$heard}]}" ;;
esac
`

// TestUpgradeOnNomad: real allocations are replaced in the order of roles, and
// one whose program is missing goes back.
func TestUpgradeOnNomad(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"1.0.0", "1.1.0"} {
		if err := os.MkdirAll(filepath.Join(dir, version), 0o755); err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("DIR", dir, "VERSION", version).Replace(playing)
		if err := os.WriteFile(filepath.Join(dir, version, "edgekeeper"), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "master"), []byte("nobody"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := agent(t, nil)
	var said []string
	c, err := New(cfg, func(line string) { t.Log(line); said = append(said, line) })
	if err != nil {
		t.Fatal(err)
	}
	leader, err := c.nomad.Status().Leader()
	if err != nil {
		t.Fatal(err)
	}
	start(t, "lvs2", map[string]any{"servers": []string{leader}, "consul": map[string]any{"auto_advertise": false, "client_auto_join": false}})
	ready(t, cfg, 2)

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	f, err := Open("director")
	if err != nil {
		t.Fatal(err)
	}
	run := func(binary string) {
		t.Helper()
		j, err := c.Parse(ctx, f, Values{Flags: []string{"vip=192.0.2.1/24", "socket=${node.unique.name}", "state_dir=" + dir, "binary=" + binary}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(ctx, j, false); err != nil {
			t.Fatal(err)
		}
	}
	run(filepath.Join(dir, "${meta."+VersionMeta+"}", "edgekeeper"))
	for _, node := range []string{"lvs1", "lvs2"} { // that it runs does not say that it has come to anything
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if pid, err := os.ReadFile(filepath.Join(dir, node+".pid")); err == nil && len(pid) > 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the director on %s does not begin", node)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "master"), []byte("lvs1"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := UpgradeOptions{Step: time.Minute, Settle: time.Second}
	if _, err := c.Upgrade(ctx, "edgekeeper-director", o); !errors.Is(err, ErrNoVersion) {
		t.Errorf("without a version: %v", err)
	}
	if _, err := c.Upgrade(ctx, "edgekeeper", o); !errors.Is(err, ErrNotRunning) {
		t.Errorf("another job: %v", err)
	}
	versions := func() string {
		s, err := c.Status(ctx, "edgekeeper-director")
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, a := range s.Allocations {
			if a.Director == nil {
				t.Fatalf("%s: %s %s", a.Node, a.State, a.Error)
			}
			out += a.Node + " " + a.Director.Version + " "
		}
		return out
	}
	o.Version, o.Step = "missing", 20*time.Second
	if _, err := c.Upgrade(ctx, "edgekeeper-director", o); !errors.Is(err, ErrFlap) || !strings.Contains(err.Error(), "it has version 1.0.0 again") {
		t.Errorf("a version that is not there: %v", err)
	}
	if got := versions(); got != "lvs1 1.0.0 lvs2 1.0.0 " {
		t.Errorf("after the version that is not there: %s", got)
	}
	said = nil
	o.Version, o.Step = "1.1.0", time.Minute
	done, err := c.Upgrade(ctx, "edgekeeper-director", o)
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Directors) != 2 || done.Directors[0].Node != "lvs2" || len(done.Moves) != 1 || done.Moves[0].To != "lvs2" {
		t.Errorf("done: %+v", done)
	}
	if got := versions(); got != "lvs1 1.1.0 lvs2 1.1.0 " {
		t.Errorf("after the upgrade: %s", got)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "mistakes")); err == nil {
		t.Errorf("a director was started anew while it was master: %s", text)
	}
	if err := c.Stop(ctx, "edgekeeper-director", true, false); err != nil {
		t.Error(err)
	}
}
