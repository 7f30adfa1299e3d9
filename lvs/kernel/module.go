//go:build linux

package kernel

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// modprobeTimeout bounds a modprobe that hangs; loading takes milliseconds.
const modprobeTimeout = 10 * time.Second

// LoadModule loads a kernel module and what it depends on: with modprobe where
// there is one, else by itself from /lib/modules (a static binary in a small
// container has no modprobe). It needs CAP_SYS_MODULE. A module that is loaded
// already is no error.
func LoadModule(ctx context.Context, name string) error {
	perr := modprobe(ctx, name)
	if perr == nil {
		return nil
	}
	dir, err := moduleDir()
	if err == nil {
		err = insert(dir, name)
	}
	if err != nil {
		return fmt.Errorf("load kernel module %s: %w", name, errors.Join(perr, err))
	}
	return nil
}

func modprobe(ctx context.Context, name string) error {
	path, err := exec.LookPath("modprobe")
	if err != nil {
		// /sbin is often missing from a service's PATH.
		if path, err = exec.LookPath("/sbin/modprobe"); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, modprobeTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--", name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("modprobe: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

func moduleDir() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return filepath.Join("/lib/modules", unix.ByteSliceToString(u.Release[:])), nil
}

// insert loads the module with finit_module(2), dependencies first.
func insert(dir, name string) error {
	f, err := os.Open(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return err
	}
	defer f.Close()
	files, err := dependencies(f, name)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := insertFile(filepath.Join(dir, file)); err != nil {
			return err
		}
	}
	return nil
}

func insertFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	flags := 0
	if filepath.Ext(path) != ".ko" {
		flags = unix.MODULE_INIT_COMPRESSED_FILE // Linux 5.17
	}
	if err := unix.FinitModule(int(f.Fd()), "", flags); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("insert %s: %w", path, err)
	}
	return nil
}

// dependencies reads modules.dep and returns the files to load for a module, in
// the order of loading: a line is "module: dependencies", the one needed first
// standing last.
func dependencies(r io.Reader, name string) ([]string, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		file, deps, ok := strings.Cut(sc.Text(), ":")
		if !ok || moduleName(file) != moduleName(name) {
			continue
		}
		files := append([]string{file}, strings.Fields(deps)...)
		slices.Reverse(files)
		return files, nil
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read modules.dep: %w", err)
	}
	return nil, fmt.Errorf("module %s in modules.dep: %w", name, fs.ErrNotExist)
}

// moduleName is the name of a module's file as the kernel writes it.
func moduleName(file string) string {
	base, _, _ := strings.Cut(filepath.Base(file), ".")
	return strings.ReplaceAll(base, "-", "_")
}
