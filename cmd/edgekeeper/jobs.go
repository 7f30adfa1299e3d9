package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/jobs"
)

func jobsCommand() *cli.Command {
	names := strings.Join(jobs.Names(), "|")
	file := names + "|FILE"
	return &cli.Command{
		Name: "jobs", Usage: "put edgekeeper on a Nomad cluster, and look after it there",
		Subcommands: []*cli.Command{
			{
				Name: "plan", Usage: "show what a run would change; it changes nothing", ArgsUsage: file,
				Flags: nomadFlags(variableFlags(),
					jsonFlag(), &cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit with 2 when there are changes", EnvVars: []string{"EDGEKEEPER_DETAILED_EXITCODE"}}),
				Before: arguments(1, 1), Action: planJob,
			},
			{
				Name: "run", Usage: "submit a job and wait until it runs everywhere", ArgsUsage: file,
				Flags:  nomadFlags(variableFlags(), waitFlags(), outputFlag()),
				Before: arguments(1, 1), Action: runJob,
			},
			upgradeCommand(),
			{
				Name: "status", Usage: "show jobs by node; of directors also their part in VRRP", ArgsUsage: "[JOB-ID ...]",
				Flags: nomadFlags(jsonFlag()), Action: jobStatus,
			},
			{
				Name: "stop", Usage: "stop a job and wait until nothing of it runs", ArgsUsage: "JOB-ID",
				Flags:  nomadFlags(waitFlags(), &cli.BoolFlag{Name: "purge", Usage: "let Nomad forget the job", EnvVars: []string{"EDGEKEEPER_PURGE"}}),
				Before: arguments(1, 1),
				Action: func(c *cli.Context) error {
					n, err := nomad(c)
					if err != nil {
						return err
					}
					ctx, cancel := limited(c)
					defer cancel()
					return n.Stop(ctx, c.Args().First(), c.Bool("purge"), c.Bool("detach"))
				},
			},
		},
	}
}

// nomadFlags are the flags of every command that speaks to Nomad, before others.
func nomadFlags(more ...any) []cli.Flag {
	all := []cli.Flag{
		&cli.StringFlag{Name: "address", Usage: "Nomad's API", EnvVars: []string{"NOMAD_ADDR"}},
		&cli.StringFlag{Name: "region", Usage: "Nomad region", EnvVars: []string{"NOMAD_REGION"}},
		&cli.StringFlag{Name: "namespace", Usage: "Nomad namespace", EnvVars: []string{"NOMAD_NAMESPACE"}},
		&cli.StringFlag{Name: "token", Usage: "Nomad ACL token; certificates come from NOMAD_CACERT and the like", EnvVars: []string{"NOMAD_TOKEN"}},
	}
	for _, m := range more {
		switch m := m.(type) {
		case cli.Flag:
			all = append(all, m)
		case []cli.Flag:
			all = append(all, m...)
		}
	}
	return all
}

func variableFlags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "var", Usage: "`NAME=VALUE` of a variable of the job, also from NOMAD_VAR_NAME; may be repeated", Value: &words{}},
		&cli.GenericFlag{Name: "var-file", Usage: "`FILE` with values of variables; may be repeated", Value: &words{}},
	}
}

// words are the values of a flag that may be repeated. Those of cli's own slice
// flag end at commas, which values of variables may hold.
type words []string

// Set implements cli.Generic.
func (w *words) Set(v string) error { *w = append(*w, v); return nil }

// String implements cli.Generic.
func (w *words) String() string { return strings.Join(*w, " ") }

func repeated(c *cli.Context, name string) []string {
	w, ok := c.Generic(name).(*words)
	if !ok {
		return nil
	}
	return *w
}

func waitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "detach", Usage: "do not wait", EnvVars: []string{"EDGEKEEPER_DETACH"}},
		&cli.DurationFlag{Name: "timeout", Usage: "how long to wait", Value: 5 * time.Minute, EnvVars: []string{"EDGEKEEPER_TIMEOUT"}},
	}
}

func outputFlag() cli.Flag {
	return &cli.BoolFlag{Name: "output", Usage: "print the job as JSON and submit nothing", EnvVars: []string{"EDGEKEEPER_OUTPUT"}}
}

// nomad is a client as the flags and the NOMAD_ variables say; progress goes to
// stderr.
func nomad(c *cli.Context) (*jobs.Client, error) {
	cfg := api.DefaultConfig()
	for flag, set := range map[string]*string{"address": &cfg.Address, "region": &cfg.Region, "namespace": &cfg.Namespace, "token": &cfg.SecretID} {
		if v := c.String(flag); v != "" {
			*set = v
		}
	}
	return jobs.New(cfg, func(line string) { fmt.Fprintln(c.App.ErrWriter, line) })
}

func limited(c *cli.Context) (context.Context, context.CancelFunc) {
	d := c.Duration("timeout")
	return context.WithTimeoutCause(c.Context, d, fmt.Errorf("not done within %s", d))
}

// parsed reads the job that a command names.
func parsed(c *cli.Context) (*jobs.Client, *jobs.Job, error) {
	f, err := jobs.Open(c.Args().First())
	if err != nil {
		return nil, nil, err
	}
	n, err := nomad(c)
	if err != nil {
		return nil, nil, err
	}
	j, err := n.Parse(c.Context, f, jobs.Values{Environ: os.Environ(), Files: repeated(c, "var-file"), Flags: repeated(c, "var")})
	return n, j, err
}

// changesCode is the exit code of `plan -detailed-exitcode` when there are any.
const changesCode = exitCode(2)

func planJob(c *cli.Context) error {
	n, j, err := parsed(c)
	if err != nil {
		return err
	}
	p, err := n.Plan(c.Context, j)
	if err != nil {
		return err
	}
	if err := output(c, p, func(w io.Writer, p *jobs.Plan) error { return p.Write(w) }); err != nil {
		return err
	}
	if p.Changes && c.Bool("detailed-exitcode") {
		return changesCode
	}
	return nil
}

func runJob(c *cli.Context) error {
	n, j, err := parsed(c)
	if err != nil {
		return err
	}
	if c.Bool("output") {
		b, err := j.JSON()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.App.Writer, "%s\n", b)
		return err
	}
	ctx, cancel := limited(c)
	defer cancel()
	return n.Run(ctx, j, c.Bool("detach"))
}

func jobStatus(c *cli.Context) error {
	n, err := nomad(c)
	if err != nil {
		return err
	}
	ids, explicit := c.Args().Slice(), c.Args().Present()
	if !explicit {
		ids = []string{"edgekeeper-director", "edgekeeper-realserver"}
	}
	out := []*jobs.Status{}
	for _, id := range ids {
		s, err := n.Status(c.Context, id)
		if errors.Is(err, jobs.ErrNotRunning) && !explicit {
			continue
		}
		if err != nil {
			return err
		}
		out = append(out, s)
	}
	return output(c, out, writeJobs)
}

func writeJobs(w io.Writer, list []*jobs.Status) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "Nomad runs no job of edgekeeper.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "JOB\tNODE\tVERSION\tSTATE\tDIRECTOR")
	for _, s := range list {
		if len(s.Allocations) == 0 {
			fmt.Fprintf(t, "%s\t-\t%d\t%s\t\n", s.ID, s.Version, s.State)
		}
		for _, a := range s.Allocations {
			note := a.Error
			if a.Director != nil {
				note = a.Director.Roles()
			}
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", s.ID, a.Node, a.Version, a.State, note)
		}
	}
	return t.Flush()
}
