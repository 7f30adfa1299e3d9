package site

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// aside is a control group whose processes have of the processors what all
// others leave. The hosts of a site share those of one machine: the agents of
// Nomad and Consul would take from web servers and directors of other hosts
// what a real host keeps for itself.
type aside struct{ folder *os.File }

const (
	cgroups     = "/sys/fs/cgroup"
	asideFolder = cgroups + "/edgekeeper-lab"
)

func newAside() (*aside, error) {
	err := os.WriteFile(filepath.Join(cgroups, "cgroup.subtree_control"), []byte("+cpu"), 0o644)
	if e := os.Mkdir(asideFolder, 0o755); !errors.Is(e, os.ErrExist) {
		err = errors.Join(err, e)
	}
	err = errors.Join(err, os.WriteFile(filepath.Join(asideFolder, "cpu.weight"), []byte("1"), 0o644))
	folder, e := os.Open(asideFolder)
	if err = errors.Join(err, e); err != nil {
		return nil, fmt.Errorf("make a control group for agents: %w", err)
	}
	return &aside{folder}, nil
}

// remove is for the end, when none of its processes is left.
func (a *aside) remove() error {
	if a == nil {
		return nil
	}
	if err := errors.Join(a.folder.Close(), os.Remove(asideFolder)); err != nil {
		return fmt.Errorf("remove the control group for agents: %w", err)
	}
	return nil
}
