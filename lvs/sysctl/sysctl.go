// Package sysctl sets kernel parameters, checks that they stay as set, and puts
// them back.
//
// Every value that is replaced is first recorded in a state file, so that what a
// killed process changed is put back by its successor: a second start over the
// leftovers keeps the true original, and Restore undoes everything recorded.
// A parameter that somebody else has changed since is theirs, and is left alone
// when ours is undone.
package sysctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/renameio/v2"
)

// ErrConflict is returned by Set when the parameter is already set, by another
// part of this process, to another value.
var ErrConflict = errors.New("already set to another value")

// ErrBadName is returned for a name that is not one of a kernel parameter.
var ErrBadName = errors.New("not the name of a kernel parameter")

// Config says where things are.
type Config struct {
	// Root holds the parameters. Default /proc/sys.
	Root string
	// State is the file in which replaced values are recorded; its folder is
	// made. "" records nothing: after a kill, nothing can be put back.
	State string
}

// Sysctl sets parameters and remembers what they were. Its methods may be
// called from many goroutines. Use Open.
type Sysctl struct {
	cfg Config

	mu      sync.Mutex
	entries []entry // in the order in which they were first set
}

// entry is one parameter that we changed, as it stands in the state file.
type entry struct {
	Name   string `json:"name"`   // as a path below Root
	Before string `json:"before"` // what it was
	Set    string `json:"set"`    // what we made of it
	users  int    // in this process; 0: left by an earlier one
}

// Open reads the state file, if there is one. It changes no parameter.
func Open(cfg Config) (*Sysctl, error) {
	if cfg.Root == "" {
		cfg.Root = "/proc/sys"
	}
	s := &Sysctl{cfg: cfg}
	if cfg.State == "" {
		return s, nil
	}
	b, err := os.ReadFile(cfg.State)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read sysctl state: %w", err)
	}
	if err := json.Unmarshal(b, &s.entries); err != nil {
		return nil, fmt.Errorf("read sysctl state %s: %w", cfg.State, err)
	}
	for i := range s.entries {
		if s.entries[i].Name, err = clean(s.entries[i].Name); err != nil {
			return nil, fmt.Errorf("read sysctl state %s: %w", cfg.State, err)
		}
	}
	return s, nil
}

// Set sets a parameter, verifies it by reading it back, and returns the function
// that puts the old value back. The name has dots, "net.ipv4.ip_forward", or,
// where a part has dots of its own as an interface eth0.100 has, slashes.
//
// Setting the same value twice is fine: the last undo of the two puts it back.
// The undo may be called more than once; a parameter that is no longer there
// (the interface is gone) or that somebody else has changed is left alone.
func (s *Sysctl) Set(name, value string) (undo func() error, err error) {
	name, err = clean(name)
	if err != nil {
		return nil, err
	}
	value = normal(value)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.set(name, value); err != nil {
		return nil, fmt.Errorf("set %s to %q: %w", name, value, err)
	}
	return sync.OnceValue(func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.release(name)
	}), nil
}

func (s *Sysctl) set(name, value string) error {
	have, err := s.read(name)
	if err != nil {
		return err
	}
	old := slices.Clone(s.entries)
	i := s.index(name)
	switch {
	case i < 0:
		s.entries = append(s.entries, entry{Name: name, Before: have, Set: value})
		i = len(s.entries) - 1
	case s.entries[i].users > 0 && s.entries[i].Set != value:
		return fmt.Errorf("%w, %q", ErrConflict, s.entries[i].Set)
	case s.entries[i].users == 0 && have != s.entries[i].Set:
		// Left by an earlier process, and changed by somebody since: that is the
		// value to go back to.
		s.entries[i].Before, s.entries[i].Set = have, value
	default:
		s.entries[i].Set = value
	}
	// The record comes first: a crash in between must not lose the old value.
	if err := s.save(); err != nil {
		s.entries = old
		return err
	}
	if have != value {
		if err := s.writeAndVerify(name, value); err != nil {
			s.entries = old
			return errors.Join(err, s.save())
		}
	}
	s.entries[i].users++
	return nil
}

// release ends one use of a parameter; the last one puts it back.
func (s *Sysctl) release(name string) error {
	i := s.index(name)
	if i < 0 {
		return nil // Restore was faster
	}
	if s.entries[i].users > 1 {
		s.entries[i].users--
		return nil
	}
	if err := s.putBack(s.entries[i]); err != nil {
		return err
	}
	s.drop(i)
	return s.save()
}

// Restore puts back everything that is recorded, by this process or an earlier
// one, the last first. What cannot be put back stays recorded.
func (s *Sysctl) Restore() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for i := len(s.entries) - 1; i >= 0; i-- {
		if err := s.putBack(s.entries[i]); err != nil {
			errs = append(errs, err)
			continue
		}
		s.drop(i)
	}
	return errors.Join(append(errs, s.save())...)
}

// Deviation is a parameter that is not as it was set.
type Deviation struct {
	Name       string // with slashes
	Want, Have string
	Err        error // it could not be read; Have is empty
}

// Verify returns the parameters that this process set and that are different
// now. A parameter that is gone is none.
func (s *Sysctl) Verify() []Deviation {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Deviation
	for _, e := range s.entries {
		have, err := s.read(e.Name)
		if e.users == 0 || errors.Is(err, fs.ErrNotExist) || err == nil && have == e.Set {
			continue
		}
		out = append(out, Deviation{Name: e.Name, Want: e.Set, Have: have, Err: err})
	}
	return out
}

// Get reads a parameter, with single spaces between the parts of its value.
func (s *Sysctl) Get(name string) (string, error) {
	name, err := clean(name)
	if err != nil {
		return "", err
	}
	v, err := s.read(name)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return v, nil
}

func (s *Sysctl) putBack(e entry) error {
	have, err := s.read(e.Name)
	if err == nil && have == e.Set && have != e.Before {
		err = s.write(e.Name, e.Before)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("put %s back to %q: %w", e.Name, e.Before, err)
	}
	return nil
}

func (s *Sysctl) index(name string) int {
	return slices.IndexFunc(s.entries, func(e entry) bool { return e.Name == name })
}

func (s *Sysctl) drop(i int) { s.entries = slices.Delete(s.entries, i, i+1) }

// save writes the state file, or removes it when nothing is recorded.
func (s *Sysctl) save() error {
	if s.cfg.State == "" {
		return nil
	}
	if len(s.entries) == 0 {
		if err := os.Remove(s.cfg.State); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove sysctl state: %w", err)
		}
		return nil
	}
	b, err := json.MarshalIndent(s.entries, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(s.cfg.State), 0o755)
	}
	if err == nil {
		err = renameio.WriteFile(s.cfg.State, append(b, '\n'), 0o600, renameio.WithTempDir(filepath.Dir(s.cfg.State)))
	}
	if err != nil {
		return fmt.Errorf("record sysctl state: %w", err)
	}
	return nil
}

func (s *Sysctl) read(name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(s.cfg.Root, name))
	return normal(string(b)), err
}

// write opens the file without creating it: a parameter that does not exist
// must be an error, whatever Root is.
func (s *Sysctl) write(name, value string) error {
	f, err := os.OpenFile(filepath.Join(s.cfg.Root, name), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value + "\n")
	return errors.Join(err, f.Close())
}

func (s *Sysctl) writeAndVerify(name, value string) error {
	if err := s.write(name, value); err != nil {
		return err
	}
	have, err := s.read(name)
	if err == nil && have != value {
		err = fmt.Errorf("it reads back as %q: %w", have, fs.ErrInvalid)
	}
	return err
}

// clean turns a name into a path below Root.
func clean(name string) (string, error) {
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, ".", "/")
	}
	if !filepath.IsLocal(name) || filepath.Clean(name) != name || name == "." {
		return "", fmt.Errorf("%q: %w", name, ErrBadName)
	}
	return name, nil
}

// normal gives a value single spaces, as the kernel separates with tabs.
func normal(v string) string { return strings.Join(strings.Fields(v), " ") }
