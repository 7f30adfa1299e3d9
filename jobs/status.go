package jobs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// Status is one job of edgekeeper in Nomad.
type Status struct {
	ID          string       `json:"id"`
	State       string       `json:"state"` // Nomad's: running, pending, dead
	Version     uint64       `json:"version"`
	Deployment  string       `json:"deployment,omitempty"` // state of the newest one, where Nomad makes them
	Allocations []Allocation `json:"allocations"`
}

// Allocation is the job on one node.
type Allocation struct {
	Node    string `json:"node"`
	NodeID  string `json:"node_id"`
	ID      string `json:"id"`
	Version uint64 `json:"version"` // of the job
	State   string `json:"state"`   // Nomad's: running, pending, failed
	Healthy *bool  `json:"healthy,omitempty"`
	// Director is what the director there says of itself; nil for other jobs.
	Director *Director `json:"director,omitempty"`
	// Error says why Director is nil.
	Error string `json:"error,omitempty"`
}

// Director is the part of `edgekeeper status -json` that tells whether a
// director serves.
type Director struct {
	Version  string   `json:"version"`
	RouterID string   `json:"router_id"`
	Routers  []Router `json:"vrrp"`
}

// Router is one VRRP instance of a director.
type Router struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	Priority uint8  `json:"priority"`
	Master   string `json:"master,omitempty"`
}

// Roles is the directors' part in words: "VI_1 MASTER 100".
func (d *Director) Roles() string {
	var out []string
	for _, r := range d.Routers {
		out = append(out, fmt.Sprintf("%s %s %d", r.Name, r.State, r.Priority))
	}
	return strings.Join(out, ", ")
}

// Status reads a job and its running allocations; of directors also what they
// say of themselves, through `nomad alloc exec`.
func (c *Client) Status(ctx context.Context, id string) (*Status, error) {
	job, _, err := c.nomad.Jobs().Info(id, read(ctx))
	if missing(err) {
		return nil, fmt.Errorf("status of job %s: %w", id, ErrNotRunning)
	}
	if err != nil {
		return nil, fmt.Errorf("read job %s: %w", id, plain(err))
	}
	s := &Status{ID: id, State: *job.Status, Version: *job.Version}
	if d, _, err := c.nomad.Jobs().LatestDeployment(id, read(ctx)); err == nil && d != nil {
		s.Deployment = d.Status
	}
	list, _, err := c.nomad.Jobs().Allocations(id, false, read(ctx))
	if err != nil {
		return nil, fmt.Errorf("list allocations of job %s: %w", id, plain(err))
	}
	for _, a := range newest(list) {
		if a.DesiredStatus != api.AllocDesiredStatusRun && a.ClientStatus != api.AllocClientStatusRunning {
			continue
		}
		out := Allocation{Node: a.NodeName, NodeID: a.NodeID, ID: a.ID, Version: a.JobVersion, State: a.ClientStatus}
		if a.DeploymentStatus != nil {
			out.Healthy = a.DeploymentStatus.Healthy
		}
		if a.ClientStatus == api.AllocClientStatusRunning {
			out.Director, err = c.director(ctx, a.ID)
			if err != nil {
				out.Error = err.Error()
			}
		}
		s.Allocations = append(s.Allocations, out)
	}
	slices.SortFunc(s.Allocations, func(a, b Allocation) int { return cmp.Compare(a.Node, b.Node) })
	return s, nil
}

// newest leaves the allocations away that a newer one of the same name and node
// has followed: Nomad goes on to want those that failed.
func newest(list []*api.AllocationListStub) []*api.AllocationListStub {
	latest := map[[2]string]*api.AllocationListStub{}
	for _, a := range list {
		key := [2]string{a.NodeID, a.Name}
		if l := latest[key]; l == nil || a.CreateIndex > l.CreateIndex {
			latest[key] = a
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(a *api.AllocationListStub) bool { return latest[[2]string{a.NodeID, a.Name}] != a })
}

// directorTask is the task of director.nomad.hcl that is the director.
const directorTask = "director"

// director asks the director in an allocation; nil without an error when the
// allocation has none.
func (c *Client) director(ctx context.Context, alloc string) (*Director, error) {
	out, err := c.order(ctx, alloc, "status", "-json")
	if errors.Is(err, errNoDirector) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d := &Director{}
	if err := json.Unmarshal([]byte(out), d); err != nil {
		return nil, fmt.Errorf("read status of the director: %w", err)
	}
	return d, nil
}

var errNoDirector = errors.New("allocation has no director task")

// order runs an edgekeeper command beside the director of an allocation, where
// its socket is, and returns what it prints.
func (c *Client) order(ctx context.Context, alloc string, args ...string) (string, error) {
	a, _, err := c.nomad.Allocations().Info(alloc, read(ctx))
	if err != nil {
		return "", fmt.Errorf("read allocation %.8s: %w", alloc, plain(err))
	}
	task := findTask(a.Job)
	if task == nil || a.TaskStates[directorTask] == nil || a.TaskStates[directorTask].State != "running" {
		return "", errNoDirector
	}
	binary, ok := task.Config["command"].(string)
	if !ok {
		return "", fmt.Errorf("allocation %.8s: its director task names no command", alloc)
	}
	if strings.Contains(binary, "${") {
		if binary, err = c.interpolate(ctx, binary, a.NodeID); err != nil {
			return "", fmt.Errorf("read node %s: %w", a.NodeName, plain(err))
		}
	}
	var stdout, stderr bytes.Buffer
	code, err := c.nomad.Allocations().Exec(ctx, a, directorTask, false, append([]string{binary}, args...),
		bytes.NewReader(nil), &stdout, &stderr, make(chan api.TerminalSize), read(ctx))
	if err != nil {
		return "", fmt.Errorf("run edgekeeper %s on %s: %w", args[0], a.NodeName, plain(err))
	}
	if code != 0 {
		return "", fmt.Errorf("edgekeeper %s on %s: exit code %d: %s", args[0], a.NodeName, code, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// interpolate fills in what a job may say of the node, as its client does. The
// meta is the client's: what the servers know of it may be ten seconds old.
func (c *Client) interpolate(ctx context.Context, text, id string) (string, error) {
	node, _, err := c.nomad.Nodes().Info(id, read(ctx))
	if err != nil {
		return "", err
	}
	meta, err := c.nomad.Nodes().Meta().Read(id, read(ctx))
	if err != nil {
		return "", err
	}
	pairs := []string{"${node.unique.name}", node.Name, "${node.unique.id}", node.ID, "${node.datacenter}", node.Datacenter}
	for k, v := range meta.Meta {
		pairs = append(pairs, "${meta."+k+"}", v)
	}
	for k, v := range node.Attributes {
		pairs = append(pairs, "${attr."+k+"}", v)
	}
	return strings.NewReplacer(pairs...).Replace(text), nil
}

func findTask(j *api.Job) *api.Task {
	for _, g := range j.TaskGroups {
		for _, t := range g.Tasks {
			if t.Name == directorTask {
				return t
			}
		}
	}
	return nil
}
