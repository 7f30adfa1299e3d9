package vip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// StateSuffix ends the name of every state file, for CleanupAll.
const StateSuffix = ".vip.json"

// state is the content of a state file.
type state struct {
	Instance  string         `json:"instance"`
	Addresses []stateAddress `json:"addresses"`
}

type stateAddress struct {
	Device string       `json:"device"`
	Prefix netip.Prefix `json:"prefix"`
}

// writeState replaces the file as a whole and syncs it.
func writeState(path, instance string, targets []target) error {
	s := state{Instance: instance}
	for _, t := range targets {
		s.Addresses = append(s.Addresses, stateAddress{t.device, t.address.Prefix})
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = renameio.WriteFile(path, append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write state of %s: %w", instance, err)
	}
	return nil
}

func removeState(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove state: %w", err)
	}
	return nil
}

// Cleanup takes off the addresses a state file names and removes the file. It
// works without an agent and must not run beside one. A file that does not
// exist is no error: there is nothing to clean up. When an address cannot be
// removed the file stays.
func Cleanup(stateFile string) error {
	b, err := os.ReadFile(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("clean up: parse %s: %w", stateFile, err)
	}
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("clean up: open netlink: %w", err)
	}
	defer nl.Close()
	var errs []error
	for _, a := range s.Addresses {
		if err := remove(nl, a.Device, a.Prefix); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clean up %s: %w", s.Instance, err)
	}
	return removeState(stateFile)
}

// CleanupAll runs Cleanup on every state file (StateSuffix) in a folder, also
// those of instances that are no longer configured. A missing folder is no error.
func CleanupAll(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"+StateSuffix))
	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	var errs []error
	for _, f := range files {
		errs = append(errs, Cleanup(f))
	}
	return errors.Join(errs...)
}
