package discovery

import (
	"maps"
	"time"
)

// Known is the last good answer to a query. Err says that the source has failed
// since; the instances stand all the same.
type Known struct {
	Instances []Instance
	Warnings  []string // what the catalog holds that had to be left out
	Index     uint64
	Err       string
	Stale     bool
	At        time.Time

	// Lost are the instances that the catalog does not list any more, but has not
	// been told to forget either: it has lost its data. The guard asks about them.
	Lost map[InstanceKey]bool

	// Stopped are the instances that their scheduler stops, and since when that is
	// known. They are never held.
	Stopped map[InstanceKey]time.Time
}

// stoppedFor is how long it is remembered that an instance was stopped. A moment
// is enough, until the real server drains: the guard counts those that serve.
const stoppedFor = 10 * time.Minute

// InstanceKey names an instance within its catalog.
type InstanceKey struct{ Node, ID string }

// Key names the instance.
func (in Instance) Key() InstanceKey { return InstanceKey{in.Node, in.ID} }

// Update returns what is known after an answer: a failure keeps the instances.
func (k Known) Update(a Answer) Known {
	if a.Err != "" {
		k.Err = a.Err
		return k
	}
	lost := map[InstanceKey]bool{}
	maps.Copy(lost, k.Lost)
	if a.Anew {
		for _, in := range k.Instances {
			lost[in.Key()] = true
		}
	}
	stopped := map[InstanceKey]time.Time{}
	for key, at := range k.Stopped {
		if a.At.Sub(at) < stoppedFor {
			stopped[key] = at
		}
	}
	for _, key := range a.Stopped {
		stopped[key] = a.At
	}
	for _, in := range a.Instances {
		delete(lost, in.Key())
		delete(stopped, in.Key())
	}
	return Known{Instances: a.Instances, Warnings: a.Warnings, Index: a.Index, Stale: a.Stale, At: a.At, Lost: lost, Stopped: stopped}
}
