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
	const secret, token, key, digits = "vRRpS3cr", "c0nsulT0ken", "k3y-k3y-k3y-k3y-k3y-k3y-k3y-k3y-", "6b33792d6b33792d6b33792d6b33792d6b33792d6b33792d6b33792d6b33792e"
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
}
vrrp "VI_2" {
  interface         = "eth0"
  virtual_router_id = 52
  authentication {
    type       = "hmac"
    active_key = 1
    key "1" {
      secret = %q
    }
    key "2" {
      hex = %q
    }
  }
  virtual_address "192.0.2.2/24" {}
}`, token, secret, key, digits)}}, environment, "lvs1")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(cfg.Instances[0].Router.Auth.Secret); got != secret {
		t.Fatalf("the VRRP secret is %q", got)
	}
	raw := string(cfg.Instances[1].Router.HMAC.Keys[1].Secret)
	if got := string(cfg.Instances[1].Router.HMAC.Keys[0].Secret); got != key || fmt.Sprintf("%x", raw) != digits {
		t.Fatalf("the keys are %q and %x", got, raw)
	}
	if got := cfg.Consul.Token.Reveal(); got != token {
		t.Fatalf("the token is %q", got)
	}
	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X"} {
		shown["config "+verb] = fmt.Sprintf(verb, *cfg)
		shown["consul "+verb] = fmt.Sprintf(verb, *cfg.Consul)
		shown["vrrp "+verb] = fmt.Sprintf(verb, cfg.Instances)
		shown["hmac "+verb] = fmt.Sprintf(verb, *cfg.Instances[1].Router.HMAC)
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
		for _, s := range []string{secret, token, key, digits, raw} {
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
	for _, name := range []string{"hex", "secret"} {
		for _, value := range []string{`"n1neBytes"`, `"hex:n1neBytes"`, `["n1neBytes"]`, `n1neBytes`} {
			_, err := parse([]source{{name: "x.hcl", text: fmt.Appendf(nil, `
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  authentication {
    type = "hmac"
    key "1" {
      %s = %s
    }
  }
  virtual_address "192.0.2.1/24" {}
}`, name, value)}}, environment, "lvs1")
			if err == nil || strings.Contains(err.Error(), "n1ne") {
				t.Errorf("%s = %s: %v", name, value, err)
			}
		}
	}
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
