package jobs

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// Plan is what Nomad would do with a job.
type Plan struct {
	// Changes says that something would be created, changed or stopped.
	Changes bool `json:"changes"`
	// Diff is the difference to the job as it is.
	Diff *api.JobDiff `json:"diff"`
	// Updates counts, per task group, what would happen to its allocations.
	Updates map[string]*api.DesiredUpdates `json:"updates,omitempty"`
	// Failures are task groups that would find no node, with the reason.
	Failures map[string]string `json:"failures,omitempty"`
	// Warnings are Nomad's.
	Warnings string `json:"warnings,omitempty"`
	// ModifyIndex is the state of the job that this is about.
	ModifyIndex uint64 `json:"job_modify_index"`
}

// Plan asks Nomad what it would do; it changes nothing.
func (c *Client) Plan(ctx context.Context, j *Job) (*Plan, error) {
	r, _, err := c.nomad.Jobs().PlanOpts(j.api, &api.PlanOptions{Diff: true}, write(ctx))
	if err != nil {
		return nil, fmt.Errorf("plan job %s: %w", j.ID(), plain(err))
	}
	p := &Plan{Diff: r.Diff, Warnings: r.Warnings, ModifyIndex: r.JobModifyIndex, Failures: placement(r.FailedTGAllocs)}
	if r.Annotations != nil {
		p.Updates = r.Annotations.DesiredTGUpdates
	}
	p.Changes = r.Diff != nil && r.Diff.Type != none
	system := j.api.Type != nil && *j.api.Type == api.JobTypeSystem
	for _, u := range p.Updates {
		p.Changes = p.Changes || u.Stop+u.Migrate+u.InPlaceUpdate+u.DestructiveUpdate+u.Canary > 0
		// Nomad 1.11 plans to create an allocation of a system job wherever one
		// runs already, and then does not.
		p.Changes = p.Changes || u.Place > 0 && !system
	}
	return p, nil
}

// placement explains why task groups find no node.
func placement(failed map[string]*api.AllocationMetric) map[string]string {
	out := map[string]string{}
	for group, m := range failed {
		var why []string
		if m.NodesEvaluated == 0 {
			why = append(why, "no node is eligible")
		}
		for _, list := range []struct {
			counts map[string]int
			say    string
		}{
			{m.ConstraintFiltered, "%d nodes filtered by %s"}, {m.DimensionExhausted, "%d nodes are short of %s"}, {m.ClassFiltered, "%d nodes of class %s filtered"},
		} {
			for _, name := range slices.Sorted(maps.Keys(list.counts)) {
				why = append(why, fmt.Sprintf(list.say, list.counts[name], name))
			}
		}
		out[group] = strings.Join(why, ", ")
	}
	return out
}

// none is the type of a diff without a difference; the others are Added,
// Deleted and Edited.
const none = "None"

var marks = map[string]string{"Added": "+", "Deleted": "-", "Edited": "+/-"}

// Write prints the plan as text: one line per field that differs, and what would
// happen to the allocations.
func (p *Plan) Write(w io.Writer) error {
	out := &printer{w: w}
	if p.Diff != nil {
		out.line(0, p.Diff.Type, "job %q", p.Diff.ID)
		out.fields(1, p.Diff.Fields)
		out.objects(1, p.Diff.Objects)
		for _, g := range p.Diff.TaskGroups {
			if g.Type == none && len(g.Updates) == 0 {
				continue
			}
			counts := make([]string, 0, len(g.Updates))
			for _, what := range slices.Sorted(maps.Keys(g.Updates)) {
				counts = append(counts, fmt.Sprintf("%d %s", g.Updates[what], what))
			}
			tail := ""
			if len(counts) > 0 {
				tail = " (" + strings.Join(counts, ", ") + ")"
			}
			out.line(1, g.Type, "group %q%s", g.Name, tail)
			out.fields(2, g.Fields)
			out.objects(2, g.Objects)
			for _, t := range g.Tasks {
				if t.Type == none {
					continue
				}
				out.line(2, t.Type, "task %q%s", t.Name, notes(t.Annotations))
				out.fields(3, t.Fields)
				out.objects(3, t.Objects)
			}
		}
	}
	for _, group := range slices.Sorted(maps.Keys(p.Failures)) {
		out.printf("group %q finds no node: %s\n", group, p.Failures[group])
	}
	if p.Warnings != "" {
		out.printf("%s\n", p.Warnings)
	}
	if !p.Changes {
		out.printf("No changes.\n")
	}
	return out.err
}

func notes(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
}

// printer writes indented lines until the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *printer) line(depth int, kind, format string, args ...any) {
	p.printf("%s%-4s%s\n", strings.Repeat("  ", depth), marks[kind], fmt.Sprintf(format, args...))
}

func (p *printer) fields(depth int, list []*api.FieldDiff) {
	for _, f := range list {
		switch f.Type {
		case none:
		case "Added":
			p.line(depth, f.Type, "%s: %q%s", f.Name, f.New, notes(f.Annotations))
		case "Deleted":
			p.line(depth, f.Type, "%s: %q%s", f.Name, f.Old, notes(f.Annotations))
		default:
			p.line(depth, f.Type, "%s: %q => %q%s", f.Name, f.Old, f.New, notes(f.Annotations))
		}
	}
}

func (p *printer) objects(depth int, list []*api.ObjectDiff) {
	for _, o := range list {
		if o.Type == none {
			continue
		}
		p.line(depth, o.Type, "%s", o.Name)
		p.fields(depth+1, o.Fields)
		p.objects(depth+1, o.Objects)
	}
}

// placementError says which groups find no node, and why.
type placementError struct{ groups map[string]string }

func (e *placementError) Error() string {
	var out []string
	for _, group := range slices.Sorted(maps.Keys(e.groups)) {
		out = append(out, fmt.Sprintf("group %q finds no node: %s", group, e.groups[group]))
	}
	return strings.Join(out, "\n")
}
