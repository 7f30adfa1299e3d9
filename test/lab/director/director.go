// Package director starts what the lab puts on a director host: keepalived or
// edgekeeper, on the same description of a site.
package director

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

// Config is what both implementations are configured with.
type Config struct {
	RouterID  string       // e.g. "lvs1"
	Priority  int          // 1 to 254
	VRID      int          // virtual router id
	Secret    string       // of PASS authentication
	VIP       netip.Prefix // with the site's mask
	Label     string       // e.g. "eth0:0"
	Advert    time.Duration
	Interface string

	Service    netip.AddrPort // virtual server; invalid for none
	Scheduler  string
	Real       []Real
	Check      Check
	OnFailure  string // "drain" or "remove"
	Extra      string // HCL at top level, edgekeeper only
	ExtraVRRP  string // HCL inside the vrrp block, edgekeeper only
	ExtraPool  string // HCL inside the virtual server, edgekeeper only
	OnStop     string // "release" or "keep", edgekeeper only; empty is its default
	NoRealHCL  bool   // edgekeeper: real servers come from a catalog only
	StateDir   string
	Socket     string
	ConfigPath string // set by Write
}

// Real is a real server.
type Real struct {
	Addr   netip.AddrPort
	Weight int
}

// Check is a TCP check's timing.
type Check struct {
	Interval, Timeout, RetryDelay time.Duration
	Retries                       int
}

// SiteCheck is the timing of site B: a dead server is noticed within 24 s.
var SiteCheck = Check{Interval: 6 * time.Second, Timeout: 3 * time.Second, Retries: 3, RetryDelay: 3 * time.Second}

// QuickCheck notices a dead server within 3 s or so.
var QuickCheck = Check{Interval: time.Second, Timeout: time.Second, Retries: 2, RetryDelay: 500 * time.Millisecond}

// Driver is an implementation of a director.
type Driver interface {
	Name() string
	// Write writes the configuration into dir, sets c.ConfigPath, and returns
	// the command that runs a director on it in the foreground until SIGTERM.
	Write(dir string, c *Config) (args []string, err error)
}

// Keepalived is Debian's keepalived.
type Keepalived struct{ Binary string }

// Name implements Driver.
func (Keepalived) Name() string { return "keepalived" }

// Write implements Driver.
func (k Keepalived) Write(dir string, c *Config) ([]string, error) {
	if err := render(dir, "keepalived.conf", keepalivedConf, c); err != nil {
		return nil, err
	}
	binary := k.Binary
	if binary == "" {
		binary = "keepalived"
	}
	pid := func(name string) string { return filepath.Join(c.StateDir, name+".pid") }
	return []string{binary, "-n", "-l", "-D", "-G", "-f", c.ConfigPath,
		"-p", pid("keepalived"), "-r", pid("vrrp"), "-c", pid("checkers"), "-b", pid("bfd")}, nil
}

// Edgekeeper is the project's director.
type Edgekeeper struct{ Binary string }

// Name implements Driver.
func (Edgekeeper) Name() string { return "edgekeeper" }

// Write implements Driver.
func (e Edgekeeper) Write(dir string, c *Config) ([]string, error) {
	if err := render(dir, "edgekeeper.hcl", edgekeeperHCL, c); err != nil {
		return nil, err
	}
	return []string{e.Binary, "director", "-config", c.ConfigPath}, nil
}

func render(dir, name string, t *template.Template, c *Config) error {
	for _, d := range []string{dir, c.StateDir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("create folder for %s: %w", name, err)
		}
	}
	c.ConfigPath = filepath.Join(dir, c.RouterID+"-"+name)
	var b strings.Builder
	if err := t.Execute(&b, c); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	if err := os.WriteFile(c.ConfigPath, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

var functions = template.FuncMap{
	"seconds": func(d time.Duration) string { return fmt.Sprintf("%g", d.Seconds()) },
	"backup":  func(priority int) bool { return priority < 100 },
	"indent": func(s string) string {
		return strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ")
	},
}

var keepalivedConf = template.Must(template.New("keepalived.conf").Funcs(functions).Parse(`global_defs {
   router_id {{.RouterID}}
}
vrrp_instance VI_1 {
    state {{if backup .Priority}}BACKUP{{else}}MASTER{{end}}
    interface {{.Interface}}
    virtual_router_id {{.VRID}}
    priority {{.Priority}}
    advert_int {{seconds .Advert}}
    authentication {
        auth_type PASS
        auth_pass {{.Secret}}
    }
    virtual_ipaddress {
        {{.VIP}} dev {{.Interface}} label {{.Label}}
    }
}
{{- if .Service.IsValid}}
virtual_server {{.Service.Addr}} {{.Service.Port}} {
    delay_loop {{seconds .Check.Interval}}
    lb_algo {{.Scheduler}}
    lb_kind DR
    protocol TCP
{{- $c := .}}
{{- range .Real}}
    real_server {{.Addr.Addr}} {{.Addr.Port}} {
        weight {{.Weight}}
{{- if eq $c.OnFailure "drain"}}
        inhibit_on_failure
{{- end}}
        TCP_CHECK {
            connect_timeout {{seconds $c.Check.Timeout}}
            retry {{$c.Check.Retries}}
            delay_before_retry {{seconds $c.Check.RetryDelay}}
            connect_port {{.Addr.Port}}
        }
    }
{{- end}}
}
{{- end}}
`))

var edgekeeperHCL = template.Must(template.New("edgekeeper.hcl").Funcs(functions).Parse(`router_id = "{{.RouterID}}"
state_dir = "{{.StateDir}}"
{{- with .OnStop}}
on_stop   = "{{.}}"
{{- end}}

control {
  socket = "{{.Socket}}"
}
{{with .Extra}}
{{.}}
{{end}}
vrrp "VI_1" {
  interface         = "{{.Interface}}"
  virtual_router_id = {{.VRID}}
  version           = 2
  priority          = {{.Priority}}
  advert_interval   = "{{.Advert}}"
  preempt           = true
{{- with .ExtraVRRP}}
  {{indent .}}
{{- end}}
  authentication {
    type   = "pass"
    secret = "{{.Secret}}"
  }
  virtual_address "{{.VIP}}" {
    label = "{{.Label}}"
  }
}
{{- if .Service.IsValid}}

virtual_server "web" {
  address    = "{{.Service}}"
  protocol   = "tcp"
  scheduler  = "{{.Scheduler}}"
  forward    = "dr"
  on_failure = "{{.OnFailure}}"
{{- with .ExtraPool}}
  {{indent .}}
{{- end}}
{{- if not .NoRealHCL}}
{{- range .Real}}
  real_server "{{.Addr}}" {
    weight = {{.Weight}}
  }
{{- end}}
{{- end}}
  check "tcp" {
    interval    = "{{.Check.Interval}}"
    timeout     = "{{.Check.Timeout}}"
    retries     = {{.Check.Retries}}
    retry_delay = "{{.Check.RetryDelay}}"
  }
}
{{- end}}
`))
