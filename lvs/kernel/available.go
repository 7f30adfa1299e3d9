//go:build linux

package kernel

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoModule is returned, wrapped with the module's name, by Available.
var ErrNoModule = errors.New("this kernel has no module of that name")

// Available reports whether a kernel module is loaded, built into the kernel, or
// could be loaded. It loads nothing and needs no privilege.
func Available(name string) error {
	dir, err := moduleDir()
	if err != nil {
		return err
	}
	return available(name, "/", dir)
}

// available is Available with the folders to look in: that of /sys and /proc, and
// that of the modules.
func available(name, top, dir string) error {
	if _, err := os.Stat(filepath.Join(top, "sys/module", name)); err == nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(top, "proc/net/ip_vs")); err == nil && name == "ip_vs" {
		return nil // built in without parameters, or loaded by the host of a container
	}
	for _, list := range []string{"modules.builtin", "modules.dep"} {
		found, err := listed(filepath.Join(dir, list), name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look for kernel module %s: %w", name, err)
		}
		if found {
			return nil
		}
	}
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("%s: %w: it is not loaded, and %s is not there to load it from", name, ErrNoModule, dir)
	}
	return fmt.Errorf("%s: %w: it is neither loaded nor in %s", name, ErrNoModule, dir)
}

// listed reports whether a list of modules, a path a line and what follows a
// colon, names the module.
func listed(path, name string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		file, _, _ := strings.Cut(sc.Text(), ":")
		if moduleName(file) == moduleName(name) {
			return true, nil
		}
	}
	return false, sc.Err()
}
