package vip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// StateSuffix ends the name of every state file, for CleanupAll.
const StateSuffix = ".vip.json"

// state is the content of a state file: for each kind of part what its removal
// needs. A part puts itself in with record, and parts gives it back.
type state struct {
	Instance  string         `json:"instance"`
	Addresses []stateAddress `json:"addresses"`
	VMACs     []stateVMAC    `json:"vmacs,omitempty"`
	Denied    []netip.Addr   `json:"denied,omitempty"`
	Routes    []vrrp.Route   `json:"routes,omitempty"`
	Rules     []vrrp.Rule    `json:"rules,omitempty"`
}

type stateVMAC struct {
	Name   string   `json:"name"`
	Parent string   `json:"parent"`
	MAC    vrrp.MAC `json:"mac"`
}

type stateAddress struct {
	Device string       `json:"device"`
	Prefix netip.Prefix `json:"prefix"`
}

// parts are what the file names, in the order of installation.
func (s *state) parts() []part {
	var out []part
	for _, v := range s.VMACs {
		out = append(out, macvlan{VMAC: VMAC(v), instance: s.Instance, left: true})
	}
	if len(s.Denied) > 0 {
		out = append(out, &denial{addresses: s.Denied, log: slog.New(slog.DiscardHandler)})
	}
	for _, a := range s.Addresses {
		out = append(out, target{vrrp.Address{Prefix: a.Prefix}, a.Device})
	}
	for _, r := range s.Routes {
		out = append(out, route{r})
	}
	for _, r := range s.Rules {
		out = append(out, rule{r})
	}
	return out
}

// writeState replaces the file as a whole and syncs it.
func writeState(path, instance string, parts []part) error {
	s := state{Instance: instance}
	for _, p := range parts {
		p.record(&s)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = renameio.WriteFile(path, append(b, '\n'), 0o600, renameio.WithTempDir(filepath.Dir(path)))
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

// ErrUnreadable says that a state file does not tell what to take off. It has
// been set aside (UnreadableSuffix); an address without a lifetime may be left.
var ErrUnreadable = errors.New("it cannot be told which addresses were left")

// UnreadableSuffix is added to the name of a state file that is set aside.
const UnreadableSuffix = ".unreadable"

// readState reads a state file, in which everything is as writeState writes it:
// the kernel takes a deletion that names no address for one of any address.
func readState(path string) (s state, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, setAside(path, err)
	}
	for _, a := range s.Addresses {
		if !a.Prefix.IsValid() || a.Prefix.Addr().IsUnspecified() || a.Device == "" {
			return s, setAside(path, fmt.Errorf("address %q on interface %q", a.Prefix, a.Device))
		}
	}
	for _, v := range s.VMACs {
		if v.Name == "" || v.Parent == "" {
			return s, setAside(path, fmt.Errorf("VMAC %q on interface %q", v.Name, v.Parent))
		}
	}
	if slices.ContainsFunc(s.Denied, func(ip netip.Addr) bool { return !ip.IsValid() }) {
		return s, setAside(path, errors.New("no address among those denied"))
	}
	for _, r := range s.Routes {
		if err := r.Validate(); err != nil {
			return s, setAside(path, err)
		}
	}
	for _, r := range s.Rules {
		if err := r.Validate(); err != nil {
			return s, setAside(path, err)
		}
	}
	if s.Instance == "" {
		return s, setAside(path, errors.New("no instance"))
	}
	return s, nil
}

func setAside(path string, why error) error {
	return errors.Join(fmt.Errorf("state file %s: %w; set aside as %s: %w", path, why, path+UnreadableSuffix, ErrUnreadable),
		os.Rename(path, path+UnreadableSuffix))
}

// Cleanup takes off the addresses, routes and rules a state file names and removes the file. It
// works without an agent and must not run beside one. A file that does not
// exist is no error: there is nothing to clean up. When an address cannot be
// removed the file stays. The error wraps ErrUnreadable for a damaged file.
func Cleanup(stateFile string) error {
	s, err := readState(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("clean up: open netlink: %w", err)
	}
	defer nl.Close()
	var errs []error
	parts := s.parts()
	for _, p := range slices.Backward(parts) {
		if err := p.remove(nl); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, sweep(nl, targetsOf(parts), false))
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
