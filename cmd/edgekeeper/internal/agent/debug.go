package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"runtime/pprof"
	"slices"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// Debug implements control.Director.
func (a *agent) Debug(ctx context.Context) (control.Debug, error) {
	var out control.Debug
	var stacks bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 1); err != nil {
		return out, fmt.Errorf("dump goroutines: %w", err)
	}
	out.Goroutines = stacks.String()
	cfg, err := ask(ctx, a, func() *config.Config { return a.cfg })
	if err != nil {
		return out, err
	}
	if out.Config, err = json.Marshal(redacted(*cfg)); err != nil {
		return out, fmt.Errorf("write configuration: %w", err)
	}
	table := a.kernel.status().Observed.Table
	for _, k := range slices.SortedFunc(maps.Keys(table), lvs.Key.Compare) {
		out.Table = append(out.Table, lvs.Op{Verb: lvs.AddService, Service: table[k].Service}.String())
		for _, d := range table[k].Dests {
			out.Table = append(out.Table, "  "+lvs.Op{Verb: lvs.AddDest, Service: table[k].Service, Dest: d}.String())
		}
	}
	return out, nil
}

// redacted takes out what is no Secret by its type and may hold one all the
// same: the addresses of webhooks, and the command lines of programs.
func redacted(cfg config.Config) config.Config {
	cfg.Notify = slices.Clone(cfg.Notify)
	for i := range cfg.Notify {
		n := &cfg.Notify[i]
		if n.Webhook != nil {
			w := *n.Webhook
			w.URL = hostOnly(w.URL)
			n.Webhook = &w
		}
		if n.Exec != nil {
			e := *n.Exec
			e.Command = programOnly(e.Command)
			n.Exec = &e
		}
	}
	cfg.Trackers = slices.Clone(cfg.Trackers)
	for i := range cfg.Trackers {
		if s := cfg.Trackers[i].Script; s != nil {
			c := *s
			c.Command = programOnly(c.Command)
			cfg.Trackers[i].Script = &c
		}
	}
	return cfg
}

func hostOnly(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(hidden)"
	}
	return u.Scheme + "://" + u.Host + "/(hidden)"
}

func programOnly(command []string) []string {
	if len(command) < 2 {
		return command
	}
	return []string{command[0], fmt.Sprintf("(%d arguments)", len(command)-1)}
}
