package main

import (
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/test/binaries"
	"github.com/edgekeeper/edgekeeper/test/lab/guest"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
)

// job is one use of the lab, as the host side prepares it.
type job struct {
	on      string   // auto, host, guest
	args    []string // of "lab inside"
	list    []scenario.Scenario
	limit   time.Duration
	shell   bool
	frozen  int    // guests that froze
	json    string // copy of the results
	project string
	out     string
	cache   string
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "lab: "+format+"\n", args...) }

func cmdRun(ctx context.Context, args []string) (int, error) {
	fs := flag.NewFlagSet("lab run", flag.ContinueOnError)
	verbose := fs.Bool("v", false, "show every step")
	j := job{}
	fs.StringVar(&j.json, "json", "", "write the results to this file")
	fs.StringVar(&j.on, "on", "auto", "where: host, guest, or auto")
	fs.StringVar(&j.out, "out", "", "results folder (default test/lab/out)")
	fs.DurationVar(&j.limit, "limit", 0, "limit for the whole run (default: the sum of the scenarios' limits)")
	if err := fs.Parse(args); err != nil {
		return 2, err
	}
	var err error
	if j.list, err = scenario.Match(fs.Args()); err != nil {
		return 2, err
	}
	j.args = []string{"run"}
	if *verbose {
		j.args = append(j.args, "-v")
	}
	for _, s := range j.list {
		j.args = append(j.args, s.Name)
	}
	return j.do(ctx)
}

func cmdDemo(ctx context.Context, args []string) (int, error) {
	fs := flag.NewFlagSet("lab demo", flag.ContinueOnError)
	j := job{args: []string{"demo"}}
	fs.StringVar(&j.on, "on", "auto", "where: host, guest, or auto")
	fs.StringVar(&j.json, "json", "", "write the results to this file")
	fs.StringVar(&j.out, "out", "", "results folder (default test/lab/out)")
	if err := fs.Parse(args); err != nil {
		return 2, err
	}
	var err error
	if j.list, err = scenario.Match([]string{demoScenario()}); err != nil {
		return 2, err
	}
	return j.do(ctx)
}

// demoScenario is the demonstration on the catalog that CATALOG names.
func demoScenario() string {
	if os.Getenv("CATALOG") == "consul" {
		return "demo-consul"
	}
	return "demo"
}

// cmdExec runs a program where the lab would run: for tests of other packages
// that need a kernel with IPVS. Paths are the same in the guest as here.
func cmdExec(ctx context.Context, args []string) (int, error) {
	fs := flag.NewFlagSet("lab exec", flag.ContinueOnError)
	j := job{}
	fs.StringVar(&j.on, "on", "auto", "where: host, guest, or auto")
	fs.StringVar(&j.out, "out", "", "folder that is writable from a guest (default test/lab/out)")
	fs.DurationVar(&j.limit, "limit", 10*time.Minute, "time limit")
	if err := fs.Parse(args); err != nil {
		return 2, err
	}
	if fs.NArg() == 0 {
		return 2, fmt.Errorf("exec: no program given")
	}
	j.args = append([]string{"exec", "--"}, fs.Args()...)
	return j.do(ctx)
}

func cmdShell(ctx context.Context, args []string) (int, error) {
	fs := flag.NewFlagSet("lab shell", flag.ContinueOnError)
	j := job{args: []string{"shell"}, shell: true, limit: 12 * time.Hour}
	fs.StringVar(&j.on, "on", "auto", "where: host, guest, or auto")
	if err := fs.Parse(args); err != nil {
		return 2, err
	}
	j.list = []scenario.Scenario{{Needs: []scenario.Need{scenario.Edgekeeper, scenario.Keepalived}}}
	return j.do(ctx)
}

// do finds the programs, then runs "lab inside" here or in a guest.
func (j *job) do(ctx context.Context) (code int, err error) {
	if j.project, err = binaries.Root(); err != nil {
		return 1, err
	}
	if j.cache, err = binaries.Cache(); err != nil {
		return 1, err
	}
	if j.out == "" {
		j.out = filepath.Join(j.project, "test", "lab", "out")
	}
	if j.out, err = filepath.Abs(j.out); err != nil {
		return 1, fmt.Errorf("resolve results folder: %w", err)
	}
	unlock, err := lock(ctx, j.out+".lock")
	if err != nil {
		return 1, err
	}
	defer unlock()
	if err := os.RemoveAll(j.out); err != nil {
		return 1, fmt.Errorf("clean results folder: %w", err)
	}
	if err := os.MkdirAll(j.out, 0o755); err != nil {
		return 1, fmt.Errorf("create results folder: %w", err)
	}
	if j.limit == 0 {
		for _, s := range j.list {
			j.limit += s.Limit + 30*time.Second
		}
		j.limit += 2 * time.Minute // the boot
	}
	if err := guest.Packages(ctx, map[string]string{"keepalived": "keepalived", "ipvsadm": "ipvsadm", "ip": "iproute2"}, say); err != nil {
		return 1, err
	}
	env := append(environment(), "LAB_OUT="+j.out)
	env = append(env, j.programs(ctx)...)
	args := append([]string{"inside"}, j.args...)
	here, err := j.here()
	if err != nil {
		return 1, err
	}
	if here {
		code, err = j.runHere(ctx, args, env)
	} else {
		code, err = j.runGuest(ctx, args, env)
	}
	if j.json != "" {
		if e := copyFile(j.json, filepath.Join(j.out, resultsFile)); e != nil {
			err = errors.Join(err, e)
		}
	}
	return code, err
}

// environment is what the site's processes get of the caller's environment:
// what the lab knows, and no proxies, credentials or settings of other programs.
func environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin:/sbin", "HOME=/tmp", "LANG=C.UTF-8"}
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "LAB_") || strings.HasPrefix(v, "TERM=") || strings.HasPrefix(v, "CATALOG=") {
			env = append(env, v)
		}
	}
	return env
}

// programs finds or builds what the scenarios need, and returns the variables
// that say where they are, or why they are not.
func (j *job) programs(ctx context.Context) []string {
	need := make(map[scenario.Need]bool)
	for _, s := range j.list {
		for _, n := range s.Needs {
			need[n] = true
		}
	}
	var env []string
	for n := range need {
		p, err := program(ctx, n)
		if err == nil && guest.Hidden(p) {
			p, err = j.visible(p)
		}
		if err != nil {
			say("%v", err)
			p = "!" + strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		env = append(env, n.Variable()+"="+p)
	}
	return env
}

func program(ctx context.Context, n scenario.Need) (string, error) {
	switch n {
	case scenario.Edgekeeper:
		return binaries.Edgekeeper(ctx, say)
	case scenario.NextEdgekeeper:
		return binaries.EdgekeeperRelease(ctx, "next", say)
	case scenario.Consul:
		return binaries.Consul(ctx, say)
	case scenario.Nomad:
		return binaries.Nomad(ctx, say)
	case scenario.Keepalived:
		if p, err := exec.LookPath("keepalived"); err == nil {
			return p, nil
		}
		return "/usr/sbin/keepalived", nil
	}
	return "", fmt.Errorf("find program: %s", n)
}

// visible copies a program from a folder that the guest does not see.
func (j *job) visible(path string) (string, error) {
	to := filepath.Join(j.cache, "bin", filepath.Base(path))
	if filepath.Dir(path) == filepath.Dir(to) {
		return path, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("copy %s: %w", path, err)
	}
	tmp := fmt.Sprintf("%s.%d.new", to, os.Getpid())
	if err := errors.Join(os.WriteFile(tmp, b, 0o755), os.Rename(tmp, to)); err != nil {
		return "", fmt.Errorf("copy %s: %w", path, err)
	}
	return to, nil
}

// here decides whether the host's own kernel is used.
func (j *job) here() (bool, error) {
	switch j.on {
	case "host":
		return true, nil
	case "guest":
		return false, nil
	case "auto":
		if os.Geteuid() != 0 {
			return false, nil
		}
		_ = exec.Command("modprobe", "ip_vs").Run() // whether it worked shows in the next line
		_, err := os.Stat("/proc/net/ip_vs")
		return err == nil, nil
	}
	return false, fmt.Errorf("-on %s: want auto, host or guest", j.on)
}

func (j *job) runHere(ctx context.Context, args, env []string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 1, fmt.Errorf("find lab binary: %w", err)
	}
	unlock, err := lock(ctx, "/run/edgekeeper-lab.lock") // one site at a time on one host
	if err != nil {
		return 1, err
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(ctx, j.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Env, cmd.Dir = append(env, "LAB_SELF="+self), j.project
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	var status *exec.ExitError
	if errors.As(err, &status) && status.Exited() {
		return status.ExitCode(), nil
	}
	return 0, err
}

func (j *job) runGuest(ctx context.Context, args, env []string) (int, error) {
	self, err := j.static(ctx)
	if err == nil && guest.Hidden(self) {
		self, err = j.visible(self)
	}
	if err != nil {
		return 1, err
	}
	env = append(env, "LAB_SELF="+self)
	spec := guest.Spec{Args: args, Env: env, Lab: self, Dir: j.project, Out: j.out, Cache: j.cache, Limit: j.limit, Shell: j.shell}
	for began := time.Now(); ; {
		code, err := guest.Run(ctx, spec, os.Stdout, say)
		if !errors.Is(err, guest.ErrFrozen) || j.frozen == guestsToFreeze {
			return code, err
		}
		say("%v", err)
		if err := j.noteFrozen(); err != nil {
			return 1, err
		}
		spec.Limit = j.limit - time.Since(began)
	}
}

// guestsToFreeze is how many guests of one run may freeze. An emulator that
// stands still says nothing about edgekeeper; one that does so again might.
const guestsToFreeze = 1

// noteFrozen leaves in the results what ran when the guest froze. Another guest
// goes on with just that.
func (j *job) noteFrozen() error {
	j.frozen++
	r, err := loadResults(j.out)
	if err != nil {
		return err
	}
	what := strings.Join(j.args, " ")
	if i := slices.IndexFunc(j.list, func(s scenario.Scenario) bool { return !scenario.Ran(r.Scenarios, s) }); i >= 0 {
		what = j.list[i].Name
	}
	r.Frozen = append(r.Frozen, what)
	say("it froze during %s; another guest goes on with it", what)
	return r.save(j.out)
}

// static returns a lab binary that needs no libraries: this one, or a build of it.
func (j *job) static(ctx context.Context) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find lab binary: %w", err)
	}
	f, err := elf.Open(self)
	if err != nil {
		return "", fmt.Errorf("read lab binary: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return binaries.Lab(ctx, say)
		}
	}
	return self, nil
}

// lock makes runs that use the same folder, or the same host, wait for each other.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("create lock: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for said := false; ; said = true {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !said {
			say("waiting for another run of the lab to end (%s)", path)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("copy results: %w", err)
	}
	if !json.Valid(b) {
		return fmt.Errorf("copy results: %s is no JSON", from)
	}
	if err := os.WriteFile(to, b, 0o644); err != nil {
		return fmt.Errorf("copy results: %w", err)
	}
	return nil
}
