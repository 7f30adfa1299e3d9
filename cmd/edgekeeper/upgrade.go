package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/jobs"
)

func upgradeCommand() *cli.Command {
	return &cli.Command{
		Name: "upgrade", Usage: "start the directors anew one by one, backups first, a master last after a handover",
		ArgsUsage: "[JOB-ID]",
		Flags: nomadFlags(jsonFlag(),
			&cli.StringFlag{Name: "to", Usage: "`VERSION` that each node's meta " + jobs.VersionMeta + " becomes; without it directors restart with the program on their host", EnvVars: []string{"EDGEKEEPER_TO"}},
			&cli.DurationFlag{Name: "timeout", Usage: "how long one director may take until it is ready", Value: 2 * time.Minute, EnvVars: []string{"EDGEKEEPER_TIMEOUT"}},
			&cli.DurationFlag{Name: "settle", Usage: "how long nothing may change after each director", Value: 5 * time.Second, EnvVars: []string{"EDGEKEEPER_SETTLE"}},
			&cli.DurationFlag{Name: "catch-up", Usage: "how long to wait for connections to be synchronized, where they are", Value: 30 * time.Second, EnvVars: []string{"EDGEKEEPER_CATCH_UP"}},
		),
		Before: arguments(0, 1),
		Action: func(c *cli.Context) error {
			n, err := nomad(c)
			if err != nil {
				return err
			}
			done, err := n.Upgrade(c.Context, cmp.Or(c.Args().First(), "edgekeeper-director"), jobs.UpgradeOptions{
				Version: c.String("to"), Step: c.Duration("timeout"), Settle: c.Duration("settle"), CatchUp: c.Duration("catch-up"),
			})
			if done != nil && !errors.Is(err, jobs.ErrNotBegun) {
				err = errors.Join(err, output(c, done, writeUpgraded))
			}
			return err
		},
	}
}

// writeUpgraded is the verdict: what runs now, what moved, what is left.
func writeUpgraded(w io.Writer, u *jobs.Upgraded) error {
	var out strings.Builder
	if len(u.Directors) == 0 {
		fmt.Fprintln(&out, "No director was upgraded.")
	}
	for _, d := range u.Directors {
		fmt.Fprintf(&out, "%s: version %s, was %s.\n", d.Node, d.To, d.From)
	}
	var names []string
	for _, m := range u.Moves {
		if !slices.Contains(names, m.Instance) {
			names = append(names, m.Instance)
		}
	}
	for _, name := range names {
		var way []string
		for _, m := range u.Moves {
			if m.Instance == name {
				way = append(way, fmt.Sprintf("from %s to %s in %.2f s", m.From, m.To, m.Seconds))
			}
		}
		fmt.Fprintf(&out, "%s moved %s: %s.\n", name, times(len(way)), strings.Join(way, ", "))
	}
	if len(names) == 0 {
		fmt.Fprintln(&out, "No address moved.")
	}
	for _, note := range u.Notes {
		fmt.Fprintf(&out, "%s.\n", note)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
