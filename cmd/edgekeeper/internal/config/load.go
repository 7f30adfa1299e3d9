package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/inputs"
)

// ErrNoFiles is returned, wrapped with the folder, when a folder holds no file
// that ends in .hcl.
var ErrNoFiles = errors.New("no *.hcl file")

// Load reads the configuration at path, a file or a folder of *.hcl files, and
// checks it. env gives environment variables (os.Getenv); nil is an empty
// environment.
//
// Mistakes in the configuration are returned as an Error. Files that cannot be
// read are ordinary errors of package os.
func Load(path string, env func(string) string) (*Config, error) {
	return LoadOn(path, inputs.New(env), nil)
}

func load(path string, in *inputs.Reader, live Host) (*Config, error) {
	var names []string
	if _, err := in.Text("files of "+path, func() (string, error) {
		var err error
		names, err = files(path)
		return strings.Join(names, "\x00"), err
	}); err != nil {
		return nil, err
	}
	sources := make([]source, len(names))
	for i, name := range names {
		text, err := in.File(name)
		if err != nil {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
		sources[i] = source{name: name, text: text}
	}
	host, err := in.Hostname()
	if err != nil {
		return nil, fmt.Errorf("read host name: %w", err)
	}
	return parseOn(sources, in, host, live)
}

// files lists what path stands for, in the order of reading.
func files(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var names []string
	for _, e := range entries {
		// Editors' leftovers (.web.hcl.swp, .#web.hcl) are no configuration.
		if strings.HasSuffix(e.Name(), ".hcl") && !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("read configuration folder %s: %w", path, ErrNoFiles)
	}
	slices.Sort(names)
	return names, nil
}

// source is one file that was read.
type source struct {
	name string
	text []byte
}

// parse checks sources as one configuration. host is the host's name.
func parse(sources []source, env func(string) string, host string) (*Config, error) {
	return parseOn(sources, inputs.New(env), host, nil)
}

func parseOn(sources []source, in *inputs.Reader, host string, live Host) (*Config, error) {
	r := &report{}
	whole := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}}
	for _, s := range sources {
		body := r.body(s)
		for _, name := range slices.Sorted(maps.Keys(body.Attributes)) {
			attr := body.Attributes[name]
			if first, dup := whole.Attributes[name]; dup {
				r.addf(attr.NameRange, "%s is already set at %s", name, place(first.NameRange))
				continue
			}
			whole.Attributes[name] = attr
		}
		whole.Blocks = append(whole.Blocks, body.Blocks...)
	}
	start := hcl.Range{Filename: sources[0].name, Start: hcl.InitialPos}
	return r.check(whole, start, in, host, live)
}

// Check checks a configuration that was not read from HCL, as Load does. The
// ranges of body say where each thing was written; it is changed by nothing.
func Check(body *hclsyntax.Body, env func(string) string) (*Config, error) {
	return CheckOn(body, inputs.New(env), nil)
}

func check(body *hclsyntax.Body, in *inputs.Reader, live Host) (*Config, error) {
	host, err := in.Hostname()
	if err != nil {
		return nil, fmt.Errorf("read host name: %w", err)
	}
	return (&report{}).check(body, body.SrcRange, in, host, live)
}

// check makes values of a body that was parsed whole. start is its beginning.
func (r *report) check(body *hclsyntax.Body, start hcl.Range, in *inputs.Reader, host string, live Host) (*Config, error) {
	rootBlock := open(r, root, labels{}, start, body)
	if r.partial {
		// Half of a configuration would only be told that it lacks the other.
		return nil, r.err()
	}
	c := &checker{in: in, host: host, root: rootBlock}
	cfg := c.config()
	if live != nil && len(r.list) == 0 {
		c.on(live, cfg)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// checker makes the checked values. It goes on after a mistake, with the
// default in its place.
type checker struct {
	in   *inputs.Reader
	host string
	root *block

	tracking *trackerSet       // nil until asked for
	moved    moved             // routes and rules of the instances so far
	pacing   map[string]pacing // of the interfaces so far
}

func (c *checker) config() *Config {
	cfg := &Config{
		RouterID:    c.routerID(),
		StateDir:    c.root.str("state_dir"),
		OnStop:      c.onStop(),
		Guardian:    c.root.flag("guardian"),
		Log:         c.log(),
		Consul:      c.consul(),
		Nomad:       c.nomad(),
		FileCatalog: c.fileCatalog(),
		Control:     c.control(),
		Telemetry:   c.telemetry(),
		Process:     c.process(),
		IPVS:        c.ipvs(),
		RealServer:  c.realServerAgent(),
	}
	cfg.Instances = c.instances()
	cfg.SyncGroups = c.syncGroups(cfg.Instances)
	cfg.VirtualServers = c.virtualServers(c.sources())
	c.activeOn(cfg)
	cfg.Trackers = c.tracked()
	cfg.Notify = c.notify(cfg)
	cfg.IPVS.Sync = c.connectionSync(cfg)
	return cfg
}
