package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Files is a catalog in a folder: one Consul service definition per file, as a
// Consul agent would load it.
type Files struct{ Dir string }

// Register writes the definition of a service instance. The file appears under
// its name only when it is complete.
func (f Files) Register(s Service) error {
	def := map[string]any{"id": s.ID, "name": s.Name, "address": s.Addr.Addr().String(), "port": s.Addr.Port()}
	if len(s.Tags) > 0 {
		def["tags"] = s.Tags
	}
	if len(s.Meta) > 0 {
		def["meta"] = s.Meta
	}
	if s.Weight > 0 {
		def["weights"] = map[string]int{"passing": s.Weight, "warning": 1}
	}
	b, err := json.MarshalIndent(map[string]any{"service": def}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode service %s: %w", s.ID, err)
	}
	if err := os.MkdirAll(f.Dir, 0o755); err != nil {
		return fmt.Errorf("create catalog: %w", err)
	}
	tmp := filepath.Join(f.Dir, "."+s.ID+".new")
	if err := os.WriteFile(tmp, b, 0o644); err != nil {
		return fmt.Errorf("write service %s: %w", s.ID, err)
	}
	if err := os.Rename(tmp, f.path(s.ID)); err != nil {
		return fmt.Errorf("write service %s: %w", s.ID, err)
	}
	return nil
}

// Deregister removes the definition of a service instance.
func (f Files) Deregister(id string) error {
	if err := os.Remove(f.path(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove service %s: %w", id, err)
	}
	return nil
}

func (f Files) path(id string) string { return filepath.Join(f.Dir, id+".json") }
