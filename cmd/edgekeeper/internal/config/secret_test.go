package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestSecretsNeverPrint formats, logs and marshals a whole configuration.
func TestSecretsNeverPrint(t *testing.T) {
	const secret, token = "vRRpS3cr", "c0nsulT0ken"
	cfg, err := parse([]source{{name: "x.hcl", text: fmt.Appendf(nil, `
consul {
  token = %q
}
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  authentication {
    type   = "pass"
    secret = %q
  }
  virtual_address "192.0.2.1/24" {}
}`, token, secret)}}, environment, "lvs1")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(cfg.Instances[0].Router.Auth.Secret); got != secret {
		t.Fatalf("the VRRP secret is %q", got)
	}
	if got := cfg.Consul.Token.Reveal(); got != token {
		t.Fatalf("the token is %q", got)
	}
	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X"} {
		shown["config "+verb] = fmt.Sprintf(verb, *cfg)
		shown["consul "+verb] = fmt.Sprintf(verb, *cfg.Consul)
		shown["vrrp "+verb] = fmt.Sprintf(verb, cfg.Instances)
		shown["secret "+verb] = fmt.Sprintf(verb, cfg.Consul.Token)
	}
	shown["secret %d"] = fmt.Sprintf("%d", cfg.Consul.Token)
	marshalled, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	shown["json"] = string(marshalled)
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "config", cfg, "consul", *cfg.Consul, "vrrp", cfg.Instances, "token", cfg.Consul.Token)
	}
	shown["log"] = log.String()
	for how, text := range shown {
		for _, s := range []string{secret, token} {
			if strings.Contains(text, s) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", s)) {
				t.Errorf("%s shows %q: %s", how, s, text)
			}
		}
	}
	if got := fmt.Sprint(Secret{}); got != "" {
		t.Errorf("no secret prints as %q, want nothing, so that it can be told from a hidden one", got)
	}
}

// TestMistakesHideSecrets: what is wrong about a secret does not repeat it.
func TestMistakesHideSecrets(t *testing.T) {
	for _, value := range []string{`"n1neBytes"`, `12345678901`, `["n1neBytes"]`, `n1neBytes`} {
		_, err := parse([]source{{name: "x.hcl", text: fmt.Appendf(nil, `
consul {
  token = %s
}
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  authentication {
    type   = "pass"
    secret = %s
  }
  virtual_address "192.0.2.1/24" {}
}`, value, value)}}, environment, "lvs1")
		if err == nil {
			t.Fatalf("%s is accepted", value)
		}
		if strings.Contains(err.Error(), "n1neBytes") || strings.Contains(err.Error(), "1234567") {
			t.Errorf("%v", err)
		}
	}
}
