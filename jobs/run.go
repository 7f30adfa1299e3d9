package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// poll is how often a job that changes is looked at.
const poll = 500 * time.Millisecond

// Run submits a job and waits until everything of it runs, or until it is clear
// that it will not. detach returns once Nomad has taken it.
func (c *Client) Run(ctx context.Context, j *Job, detach bool) error {
	version, eval, err := c.register(ctx, j)
	if err != nil || detach {
		return err
	}
	began := time.Now()
	if err := c.await(ctx, j.ID(), version, eval); err != nil {
		return err
	}
	c.sayf("%s: version %d runs everywhere, after %s", j.ID(), version, time.Since(began).Round(100*time.Millisecond))
	return nil
}

// register submits a job and returns its version and the evaluation.
func (c *Client) register(ctx context.Context, j *Job) (version uint64, eval string, err error) {
	r, _, err := c.nomad.Jobs().RegisterOpts(j.api, &api.RegisterOptions{Submission: j.submission}, write(ctx))
	if err != nil {
		return 0, "", fmt.Errorf("submit job %s: %w", j.ID(), plain(err))
	}
	if r.Warnings != "" {
		c.sayf("%s: %s", j.ID(), r.Warnings)
	}
	now, _, err := c.nomad.Jobs().Info(j.ID(), read(ctx))
	if err != nil {
		return 0, "", fmt.Errorf("read job %s: %w", j.ID(), plain(err))
	}
	c.sayf("%s: submitted, version %d", j.ID(), *now.Version)
	return *now.Version, r.EvalID, nil
}

// await waits until every allocation that is wanted runs in this version, and
// the deployment, where Nomad makes one, has succeeded.
func (c *Client) await(ctx context.Context, id string, version uint64, eval string) error {
	last, began := "", time.Now()
	for {
		done, state, err := c.look(ctx, id, version, eval)
		if nowhere, ok := errors.AsType[*placementError](err); ok && time.Since(began) < settle {
			state, err = nowhere.Error(), nil
		}
		if state != last && state != "" {
			c.sayf("%s: %s", id, state)
			last = state
		}
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("job %s: %w: %s", id, context.Cause(ctx), last)
		case <-time.After(poll):
		}
	}
}

// look is one look at a job on its way.
func (c *Client) look(ctx context.Context, id string, version uint64, eval string) (done bool, state string, err error) {
	if eval != "" {
		e, _, err := c.nomad.Evaluations().Info(eval, read(ctx))
		switch {
		case err != nil && !missing(err):
			return false, "", fmt.Errorf("read evaluation of job %s: %w", id, plain(err))
		case err != nil: // cleaned away already
		case e.Status == "failed" || e.Status == "cancelled":
			return false, "", fmt.Errorf("job %s: evaluation %s: %s", id, e.Status, e.StatusDescription)
		case e.Status != "complete":
			return false, "being evaluated", nil
		case len(e.FailedTGAllocs) > 0:
			if err := c.nowhere(ctx, id); err != nil {
				return false, "", fmt.Errorf("job %s: %w", id, err)
			}
		}
	}
	list, _, err := c.nomad.Jobs().Allocations(id, false, read(ctx))
	if err != nil {
		return false, "", fmt.Errorf("list allocations of job %s: %w", id, plain(err))
	}
	want, ready := 0, 0
	for _, a := range list {
		if a.DesiredStatus != api.AllocDesiredStatusRun {
			continue
		}
		want++
		switch {
		case a.ClientStatus == api.AllocClientStatusFailed && a.JobVersion == version && a.NextAllocation == "":
			return false, "", fmt.Errorf("job %s: %s failed on %s: %s", id, a.Name, a.NodeName, reason(a))
		case a.ClientStatus == api.AllocClientStatusRunning && a.JobVersion == version && healthy(a):
			ready++
		}
	}
	state = fmt.Sprintf("%d of %d run version %d", ready, want, version)
	if want == 0 || ready < want {
		return false, state, nil
	}
	d, _, err := c.nomad.Jobs().LatestDeployment(id, read(ctx))
	switch {
	case err != nil:
		return false, "", fmt.Errorf("read deployment of job %s: %w", id, plain(err))
	case d == nil || d.JobVersion != version || d.Status == api.DeploymentStatusSuccessful:
		return true, state, nil
	case d.Status == api.DeploymentStatusFailed || d.Status == api.DeploymentStatusCancelled || d.Status == api.DeploymentStatusBlocked:
		return false, "", fmt.Errorf("job %s: deployment %s: %s", id, d.Status, d.StatusDescription)
	}
	return false, state + ", deployment " + d.Status, nil
}

// settle is how long a group may find no node. What `nomad node meta apply` says
// of a node takes up to ten seconds to reach the servers, which then evaluate the
// job again.
const settle = 20 * time.Second

// nowhere returns a placementError when the newest evaluation of a job still
// finds no node for some group.
func (c *Client) nowhere(ctx context.Context, id string) error {
	list, _, err := c.nomad.Jobs().Evaluations(id, read(ctx))
	if err != nil {
		return fmt.Errorf("list evaluations: %w", plain(err))
	}
	var newest *api.Evaluation
	for _, e := range list {
		if e.Status == "complete" && (newest == nil || e.CreateIndex > newest.CreateIndex) {
			newest = e
		}
	}
	if newest == nil || len(newest.FailedTGAllocs) == 0 {
		return nil
	}
	return &placementError{placement(newest.FailedTGAllocs)}
}

// healthy is what the deployment says of an allocation; one that is in none is
// healthy when it runs.
func healthy(a *api.AllocationListStub) bool {
	return a.DeploymentStatus == nil || a.DeploymentStatus.Healthy == nil || *a.DeploymentStatus.Healthy
}

// reason is why an allocation failed, in the words of its tasks' events.
func reason(a *api.AllocationListStub) string {
	why := a.ClientDescription
	for _, name := range slices.Sorted(maps.Keys(a.TaskStates)) {
		t := a.TaskStates[name]
		for _, e := range slices.Backward(t.Events) {
			// What Nomad makes of the failure comes after the failure itself.
			if t.Failed && e.Type != api.TaskNotRestarting && e.Type != api.TaskRestarting && e.Type != api.TaskKilling && e.Type != api.TaskKilled {
				why += fmt.Sprintf("; task %s: %s", name, e.DisplayMessage)
				break
			}
		}
	}
	return why
}

// ErrNotRunning is a job that Nomad does not have, or has stopped.
var ErrNotRunning = errors.New("job does not run")

// Stop stops a job and waits until nothing of it runs, the poststop tasks
// included. With purge Nomad forgets it.
func (c *Client) Stop(ctx context.Context, id string, purge, detach bool) error {
	if _, _, err := c.nomad.Jobs().Info(id, read(ctx)); missing(err) {
		return fmt.Errorf("stop job %s: %w", id, ErrNotRunning)
	} else if err != nil {
		return fmt.Errorf("read job %s: %w", id, plain(err))
	}
	if _, _, err := c.nomad.Jobs().Deregister(id, purge, write(ctx)); err != nil {
		return fmt.Errorf("stop job %s: %w", id, plain(err))
	}
	if detach {
		return nil
	}
	for last := -1; ; {
		list, _, err := c.nomad.Jobs().Allocations(id, true, read(ctx))
		if err != nil {
			return fmt.Errorf("list allocations of job %s: %w", id, plain(err))
		}
		running := 0
		for _, a := range list {
			if a.ClientStatus == api.AllocClientStatusRunning || a.ClientStatus == api.AllocClientStatusPending {
				running++
			}
		}
		if running != last {
			c.sayf("%s: %d still running", id, running)
			last = running
		}
		if running == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stop job %s: %w, %d still running", id, context.Cause(ctx), running)
		case <-time.After(poll):
		}
	}
}
