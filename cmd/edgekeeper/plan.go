package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

func planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Usage: "show what a start or a reload with a configuration would change on this host",
		Description: "Compares with the running director, with what it knows of catalogs and checks; without one, with the kernel, which is only read. Nothing is changed. " +
			"With -detailed-exitcode the exit code is 2 where there are changes.",
		Flags: []cli.Flag{
			configFlag(), configIDFlag(), socketFlag(), jsonFlag(),
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit with 2 when there are changes", EnvVars: []string{"EDGEKEEPER_DETAILED_EXITCODE"}},
		},
		Before: noArguments,
		Action: func(c *cli.Context) error {
			path := c.String("config")
			if path == "" {
				return errors.New("plan needs -config PATH (or EDGEKEEPER_CONFIG)")
			}
			// Mistakes are this command's to tell, with all their places.
			cfg, differences, err := load(path, c.String("config-id"))
			if err != nil {
				return err
			}
			for _, d := range differences {
				fmt.Fprintln(c.App.ErrWriter, d)
			}
			whole, err := filepath.Abs(path)
			if err != nil {
				return fmt.Errorf("plan: %w", err)
			}
			director := client(c)
			if !c.IsSet("socket") { // that of the director which has this configuration
				director = control.NewClient(cfg.Control.Socket)
			}
			p, err := director.Plan(c.Context, whole, c.String("config-id"))
			if errors.Is(err, control.ErrNoDirector) && !c.IsSet("socket") {
				p, err = agent.Preview(c.Context, whole, cfg, agent.Platform{})
			}
			if err != nil {
				return err
			}
			if err := output(c, p, showPlan); err != nil {
				return err
			}
			if len(p.Changes) > 0 && c.Bool("detailed-exitcode") {
				return exitCode(2)
			}
			return nil
		},
	}
}

// showPlan writes a plan for people: a sign, what, and how.
func showPlan(w io.Writer, p control.Plan) error {
	signs := map[string]string{"add": "+", "change": "~", "remove": "-"}
	if _, err := fmt.Fprintf(w, "%s against %s: %d changes\n", p.Config, p.Against, len(p.Changes)); err != nil {
		return err
	}
	for _, c := range p.Changes {
		text := c.Text
		if c.Kind != "ipvs" {
			text = c.Object
			if c.Text != "" {
				text += ": " + c.Text
			}
		}
		if _, err := fmt.Fprintf(w, "  %s %s %s\n", signs[c.Verb], c.Kind, text); err != nil {
			return err
		}
	}
	for _, n := range p.Notes {
		if _, err := fmt.Fprintln(w, "note: "+n); err != nil {
			return err
		}
	}
	if p.Refused != "" {
		if _, err := fmt.Fprintln(w, "the running director would refuse it: "+p.Refused); err != nil {
			return err
		}
	}
	return nil
}
