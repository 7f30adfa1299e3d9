//go:build consul

package jobs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	consul "github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/test/binaries"
	"github.com/edgekeeper/edgekeeper/test/consultest"
)

// TestIdentity: with consul_identity the director's configuration names a file
// in which Nomad has put a Consul token that Consul made for this very task.
// What runs in the director's place hands over what it was given.
func TestIdentity(t *testing.T) {
	program, err := binaries.Nomad(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	c := consultest.Start(t, consultest.Options{ACL: true})
	cfg := agent(t, map[string]any{
		"address": c.Addr, "token": consultest.RootToken,
		"task_identity":    map[string]any{"aud": []string{"consul.io"}, "ttl": "1h"},
		"service_identity": map[string]any{"aud": []string{"consul.io"}, "ttl": "1h"},
	})
	t.Run("nomad job plan is clean", func(t *testing.T) { cleanPlans(t, cfg.Address) }) // a service needs a node with Consul
	setup := exec.CommandContext(t.Context(), program, "setup", "consul", "-y", "-jwks-url", cfg.Address+"/.well-known/jwks.json")
	setup.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NOMAD_ADDR=" + cfg.Address, "CONSUL_HTTP_ADDR=" + c.Addr, "CONSUL_HTTP_TOKEN=" + consultest.RootToken}
	if out, err := setup.CombinedOutput(); err != nil {
		t.Fatalf("nomad setup consul: %v\n%s", err, out)
	}

	dir := t.TempDir()
	found := filepath.Join(dir, "token")
	directorJob(t, cfg, dir, []string{"consul_identity=true"}, found)
	token := await(t, found)
	self, _, err := c.Client.ACL().TokenReadSelf(&consul.QueryOptions{Token: strings.TrimSpace(string(token))})
	if err != nil {
		t.Fatal(err)
	}
	if self.AuthMethod != "nomad-workloads" || !strings.Contains(self.Description, "nomad_task_director") {
		t.Errorf("got %+v", self)
	}
	t.Logf("%s: %s", self.AuthMethod, self.Description)
}
