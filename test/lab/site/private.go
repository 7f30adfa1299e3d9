package site

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// private is what a host has of its own besides the network: mounts and a host
// name. A program finds its default folders empty, and /sys shows its own
// interfaces.
type private struct{ mnt, uts *os.File }

// privateDirs are the folders that each host has for itself, in memory.
var privateDirs = []string{"/run/edgekeeper", "/var/lib/edgekeeper"}

// newPrivate makes the namespaces on a thread that ends with the goroutine: one
// that has left the lab's file system view can run nothing else.
func newPrivate(h *Host) (p private, err error) {
	for _, d := range privateDirs {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return p, fmt.Errorf("make folder: %w", err)
		}
	}
	err = onLostThread(func() error {
		if err := unix.Setns(int(h.ns), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network of %s: %w", h.Name, err)
		}
		if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		mounts := []struct {
			source, target, fstype string
			flags                  uintptr
		}{
			{"none", "/", "", unix.MS_REC | unix.MS_PRIVATE},
			{"sys", "/sys", "sysfs", 0},
			{"cgroup2", "/sys/fs/cgroup", "cgroup2", 0},
		}
		for _, m := range mounts {
			if err := unix.Mount(m.source, m.target, m.fstype, m.flags, ""); err != nil {
				return fmt.Errorf("mount %s: %w", m.target, err)
			}
		}
		for _, d := range privateDirs {
			if err := unix.Mount("private", d, "tmpfs", 0, "mode=0755"); err != nil {
				return fmt.Errorf("mount %s: %w", d, err)
			}
		}
		if err := unix.Sethostname([]byte(h.Name)); err != nil {
			return fmt.Errorf("set host name: %w", err)
		}
		var errMnt, errUTS error
		p.mnt, errMnt = os.Open("/proc/thread-self/ns/mnt")
		p.uts, errUTS = os.Open("/proc/thread-self/ns/uts")
		return errors.Join(errMnt, errUTS)
	})
	return p, err
}

func (p private) close() {
	for _, f := range []*os.File{p.mnt, p.uts} {
		if f != nil {
			f.Close()
		}
	}
}

// fork runs fn, which starts a process, with all that is h's own.
func (h *Host) fork(fn func() error) error {
	return onLostThread(func() error {
		if err := unix.Unshare(unix.CLONE_FS); err != nil { // entering a mount namespace asks for it
			return fmt.Errorf("enter %s: %w", h.Name, err)
		}
		for _, ns := range []struct{ fd, kind int }{
			{int(h.ns), unix.CLONE_NEWNET}, {int(h.own.uts.Fd()), unix.CLONE_NEWUTS}, {int(h.own.mnt.Fd()), unix.CLONE_NEWNS},
		} {
			if err := unix.Setns(ns.fd, ns.kind); err != nil {
				return fmt.Errorf("enter %s: %w", h.Name, err)
			}
		}
		return fn()
	})
}

// onLostThread runs fn on a thread that ends afterwards.
func onLostThread(fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		done <- fn()
	}()
	return <-done
}
