package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// VersionMeta is the key of the node's meta that Upgrade sets.
const VersionMeta = "edgekeeper_version"

// ErrNoVersion is a version for a job that does not take its program from the
// node's meta.
var ErrNoVersion = errors.New("the job has no place for a version")

// Upgrade starts the directors of a job anew, one by one: those that are master
// of nothing first, a master last, after a handover. It goes on to the next one
// only when the last is ready: adverts heard, pools loaded, connections
// synchronized. On a change that it did not order it ends (ErrFlap) and leaves
// everything as it is.
//
// Nomad chooses the order in which it updates the allocations of a system job
// and does not know roles, so the job itself is not changed: the version is in
// the meta of each node, and the allocation is replaced there.
func (c *Client) Upgrade(ctx context.Context, id string, o UpgradeOptions) (*Upgraded, error) {
	f := &nomadFleet{c: c, id: id, version: o.Version}
	if err := f.check(ctx); err != nil {
		return nil, fmt.Errorf("upgrade job %s: %w", id, err)
	}
	u := &upgrade{fleet: f, o: o, sayf: c.sayf, done: &Upgraded{}}
	if err := u.run(ctx); err != nil {
		return u.done, fmt.Errorf("job %s: %w", id, err)
	}
	return u.done, nil
}

// nomadFleet are the directors of a Nomad job.
type nomadFleet struct {
	c       *Client
	id      string
	version string
}

// check refuses what cannot be upgraded.
func (f *nomadFleet) check(ctx context.Context) error {
	job, _, err := f.c.nomad.Jobs().Info(f.id, read(ctx))
	if missing(err) || err == nil && *job.Status == "dead" {
		return ErrNotRunning
	}
	if err != nil {
		return plain(err)
	}
	task := findTask(job)
	if task == nil {
		return errNoDirector
	}
	place := "${meta." + VersionMeta + "}"
	named := strings.Contains(fmt.Sprint(task.Config["command"]), place)
	for _, a := range task.Artifacts {
		named = named || strings.Contains(*a.GetterSource, place)
	}
	if f.version != "" && !named {
		return fmt.Errorf("%w: neither its artifact nor its binary has %s in it; without a version each director is restarted with the program that is on its host", ErrNoVersion, place)
	}
	if f.version == "" && named {
		return fmt.Errorf("%w: it takes the version from %s, so say which one", ErrNoVersion, place)
	}
	return nil
}

func (f *nomadFleet) members(ctx context.Context) ([]member, error) {
	job, _, err := f.c.nomad.Jobs().Info(f.id, read(ctx))
	if err != nil {
		return nil, plain(err)
	}
	list, _, err := f.c.nomad.Jobs().Allocations(f.id, false, read(ctx))
	if err != nil {
		return nil, plain(err)
	}
	var out []member
	var wrong []string
	for _, a := range newest(list) {
		switch wanted, runs := a.DesiredStatus == api.AllocDesiredStatusRun, a.ClientStatus == api.AllocClientStatusRunning; {
		case !wanted && !runs:
		case wanted != runs:
			wrong = append(wrong, fmt.Sprintf("%s is to %s and is %s", a.NodeName, a.DesiredStatus, a.ClientStatus))
		case a.JobVersion != *job.Version:
			wrong = append(wrong, fmt.Sprintf("%s runs version %d of the job, and %d was submitted: that has to finish first", a.NodeName, a.JobVersion, *job.Version))
		default:
			out = append(out, member{node: a.NodeName, nodeID: a.NodeID, alloc: a.ID})
		}
	}
	if len(wrong) > 0 {
		return nil, errors.New(strings.Join(wrong, "; "))
	}
	if len(out) < 2 {
		return nil, fmt.Errorf("%d directors run; the address needs another one to go to", len(out))
	}
	slices.SortFunc(out, func(a, b member) int { return cmp.Compare(a.node, b.node) })
	return out, nil
}

func (f *nomadFleet) ask(ctx context.Context, m member) (*condition, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	text, err := f.c.order(ctx, m.alloc, "status", "-json")
	if err != nil {
		return nil, err
	}
	c := &condition{}
	if err := json.Unmarshal([]byte(text), c); err != nil {
		return nil, fmt.Errorf("read status of the director: %w", err)
	}
	return c, nil
}

func (f *nomadFleet) order(ctx context.Context, m member, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return f.c.order(ctx, m.alloc, args...)
}

// replace restarts the task in its allocation, or, for another version, has the
// node make a new allocation, which fetches it. One that does not come up is
// replaced by one of the version from before.
func (f *nomadFleet) replace(ctx context.Context, m member) (member, error) {
	if f.version == "" {
		a, _, err := f.c.nomad.Allocations().Info(m.alloc, read(ctx))
		if err != nil {
			return m, fmt.Errorf("read allocation %.8s: %w", m.alloc, plain(err))
		}
		if err := f.c.nomad.Allocations().Restart(a, directorTask, read(ctx)); err != nil {
			return m, fmt.Errorf("restart allocation %.8s: %w", m.alloc, plain(err))
		}
		return m, nil
	}
	meta, err := f.c.nomad.Nodes().Meta().Read(m.nodeID, read(ctx))
	if err != nil {
		return m, fmt.Errorf("read meta of the node: %w", plain(err))
	}
	before := meta.Meta[VersionMeta]
	next, err := f.swap(ctx, m, f.version)
	if err == nil || before == "" || before == f.version {
		return next, err
	}
	f.c.sayf("%s: %v; it goes back to version %s", m.node, err, before)
	again, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	last, failed := f.swap(again, next, before)
	if failed != nil {
		return last, fmt.Errorf("%w; it could not go back to version %s: %w", err, before, failed)
	}
	return last, fmt.Errorf("%w; it has version %s again", err, before)
}

// swap sets the version of a node, ends the allocation, and waits until a new
// one runs there. With an error it returns the newest allocation.
func (f *nomadFleet) swap(ctx context.Context, m member, version string) (member, error) {
	a, _, err := f.c.nomad.Allocations().Info(m.alloc, read(ctx))
	if err != nil {
		return m, fmt.Errorf("read allocation %.8s: %w", m.alloc, plain(err))
	}
	if _, err := f.c.nomad.Nodes().Meta().Apply(&api.NodeMetaApplyRequest{NodeID: m.nodeID, Meta: map[string]*string{VersionMeta: &version}}, read(ctx)); err != nil {
		return m, fmt.Errorf("set %s of the node: %w", VersionMeta, plain(err))
	}
	if _, err := f.c.nomad.Allocations().Stop(a, read(ctx)); err != nil {
		return m, fmt.Errorf("stop allocation %.8s: %w", m.alloc, plain(err))
	}
	asked, last, out := false, "there is none", m
	for {
		list, _, err := f.c.nomad.Nodes().Allocations(m.nodeID, read(ctx))
		if err != nil {
			return out, fmt.Errorf("list allocations of the node: %w", plain(err))
		}
		ended, next := false, (*api.Allocation)(nil)
		for _, x := range list {
			switch {
			case x.JobID != f.id || x.Namespace != a.Namespace:
			case x.ID == m.alloc:
				ended = x.ClientTerminalStatus()
			case x.CreateIndex > a.CreateIndex && (next == nil || x.CreateIndex > next.CreateIndex):
				next = x
			}
		}
		if next != nil {
			out.alloc = next.ID
			state := next.TaskStates[directorTask]
			if next.ClientStatus == api.AllocClientStatusRunning && state != nil && state.State == "running" {
				return out, nil
			}
			last = cmp.Or(failure(state), next.ClientStatus)
		}
		// Nomad does not look at a system job again only because an allocation of it
		// was stopped.
		if ended && next == nil && !asked {
			if _, _, err := f.c.nomad.Jobs().EvaluateWithOpts(f.id, api.EvalOptions{}, write(ctx)); err != nil {
				return out, fmt.Errorf("have the job evaluated: %w", plain(err))
			}
			asked = true
		}
		if err := pause(ctx, poll); err != nil {
			return out, fmt.Errorf("new allocation: %w: %s", err, last)
		}
	}
}

// failure is the last thing that went wrong with a task.
func failure(state *api.TaskState) (why string) {
	if state == nil {
		return ""
	}
	for _, e := range state.Events {
		if e.FailsTask || strings.Contains(e.Type, "Fail") {
			why = e.DisplayMessage
		}
	}
	return why
}
