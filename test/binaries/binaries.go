// Package binaries finds or builds the programs that tests and the lab start:
// Consul, consul-template, Nomad and edgekeeper itself.
//
// The three of HashiCorp come from PATH when they are there. Otherwise they are
// built from the modules pinned in test/tools, once, into the cache folder.
// edgekeeper is always built from the tree, as one static binary.
//
// The functions may be called from several processes at once: a file lock per
// program makes the others wait for the one that builds.
package binaries

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Log receives progress lines, without a line end.
type Log func(format string, args ...any)

// Cache returns the folder for built programs and downloaded packages, and
// creates it: EDGEKEEPER_CACHE, else the user's cache folder plus "edgekeeper".
func Cache() (string, error) {
	dir := os.Getenv("EDGEKEEPER_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find cache folder (set EDGEKEEPER_CACHE): %w", err)
		}
		dir = filepath.Join(base, "edgekeeper")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("resolve cache folder: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		return "", fmt.Errorf("create cache folder: %w", err)
	}
	return dir, nil
}

// Root returns the folder that holds the project's go.mod, searched upwards
// from the working folder.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find project: %w", err)
	}
	for start := dir; ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(b, []byte("module github.com/edgekeeper/edgekeeper\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find project: no go.mod of edgekeeper in %s or above", start)
		}
	}
}

// Consul returns the path of a consul program.
func Consul(ctx context.Context, log Log) (string, error) {
	return tool(ctx, "consul", "github.com/hashicorp/consul", "about 7 minutes", log)
}

// ConsulTemplate returns the path of a consul-template program.
func ConsulTemplate(ctx context.Context, log Log) (string, error) {
	return tool(ctx, "consul-template", "github.com/hashicorp/consul-template", "about a minute", log)
}

// Nomad returns the path of a nomad program.
func Nomad(ctx context.Context, log Log) (string, error) {
	return tool(ctx, "nomad", "github.com/hashicorp/nomad", "about 7 minutes", log)
}

// Edgekeeper builds cmd/edgekeeper from the tree and returns the binary's path.
func Edgekeeper(ctx context.Context, log Log) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return build(ctx, job{name: "edgekeeper", dir: root, pkg: "./cmd/edgekeeper", log: log})
}

// EdgekeeperRelease builds cmd/edgekeeper as a release of the given name and
// returns the binary's path.
func EdgekeeperRelease(ctx context.Context, release string, log Log) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return build(ctx, job{name: "edgekeeper-" + release, dir: root, pkg: "./cmd/edgekeeper", log: log, release: release})
}

// EdgekeeperRace builds cmd/edgekeeper with the race detector, which needs a C
// compiler, and returns the binary's path.
func EdgekeeperRace(ctx context.Context, log Log) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return build(ctx, job{name: "edgekeeper-race", dir: root, pkg: "./cmd/edgekeeper", log: log, race: true})
}

// Lab builds test/lab from the tree and returns the binary's path.
func Lab(ctx context.Context, log Log) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return build(ctx, job{name: "lab", dir: root, pkg: "./test/lab", log: log})
}

func tool(ctx context.Context, name, pkg, takes string, log Log) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return filepath.Abs(p)
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	return build(ctx, job{
		name: name, dir: filepath.Join(root, "test", "tools", name), pkg: pkg, log: log, once: true,
		notice: "is not in PATH: building the pinned one, " + takes + " on two cores the first time",
	})
}

type job struct {
	name, dir, pkg string
	once           bool   // keep a binary that is there, if it is of the pinned version
	race           bool   // with the race detector
	release        string // name of the release, as the linker sets it
	notice         string // said before a build that takes minutes
	log            Log
}

// build runs go build for j into the cache, under a lock per program.
func build(ctx context.Context, j job) (string, error) {
	log := j.log
	if log == nil {
		log = func(string, ...any) {}
	}
	cache, err := Cache()
	if err != nil {
		return "", err
	}
	out := filepath.Join(cache, "bin", j.name)
	unlock, err := lock(ctx, filepath.Join(cache, "bin", "."+j.name+".lock"))
	if err != nil {
		return "", fmt.Errorf("lock %s: %w", j.name, err)
	}
	defer unlock()
	if j.once && pinned(out, j.pkg, filepath.Join(j.dir, "go.mod")) {
		return out, nil
	}
	if j.notice != "" {
		log("%s %s", j.name, j.notice)
		defer progress(log, j.name)()
	}
	tmp := fmt.Sprintf("%s.%d.new", out, os.Getpid())
	defer os.Remove(tmp)
	args, cgo := []string{"build", "-trimpath", "-o", tmp}, "CGO_ENABLED=0"
	if j.race {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	if j.release != "" {
		args = append(args, "-ldflags=-X github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/version.release="+j.release)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, j.pkg)...)
	cmd.Dir = j.dir
	cmd.Env = append(os.Environ(), cgo, "GOFLAGS=-mod=readonly")
	if msg, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", j.name, err, bytes.TrimSpace(msg))
	}
	if err := os.Rename(tmp, out); err != nil {
		return "", fmt.Errorf("install %s: %w", j.name, err)
	}
	return out, nil
}

// pinned reports whether file is a build of pkg in the version that mod names.
func pinned(file, pkg, mod string) bool {
	if _, err := os.Stat(file); err != nil {
		return false
	}
	want, err := os.ReadFile(mod)
	if err != nil {
		return false
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return false
	}
	return info.Main.Path == pkg && bytes.Contains(want, []byte(pkg+" "+info.Main.Version+"\n")) ||
		bytes.Contains(want, []byte(pkg+" "+info.Main.Version+" "))
}

// progress says every 30 s that name is still being built, until the returned
// function is called.
func progress(log Log, name string) (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	start := time.Now()
	go func() {
		defer close(gone)
		tick := time.NewTicker(30 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				log("%s: done after %s", name, time.Since(start).Round(time.Second))
				return
			case <-tick.C:
				log("%s: still building, %s so far", name, time.Since(start).Round(time.Second))
			}
		}
	}()
	return func() { close(done); <-gone }
}

// lock takes an exclusive lock on path and returns its release.
func lock(ctx context.Context, path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
