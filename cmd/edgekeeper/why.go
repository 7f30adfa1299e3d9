package main

import (
	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/why"
)

func whyCommand() *cli.Command {
	return &cli.Command{
		Name: "why", Usage: "explain a verdict: why a virtual server, real server or VRRP instance is as it is",
		ArgsUsage: "VIRTUAL-SERVER | [VIRTUAL-SERVER/]SERVER | INSTANCE | SYNC-GROUP",
		Description: "A sentence, and below it the chain of causes. SERVER is an address, address:port, service id or node. " +
			"What is told is what the director recorded when it decided.",
		Flags:  []cli.Flag{socketFlag(), jsonFlag()},
		Before: arguments(1, 1),
		Action: func(c *cli.Context) error {
			s, err := client(c).Snapshot(c.Context)
			if err != nil {
				return err
			}
			events, err := client(c).Events(c.Context, 0)
			if err != nil {
				return err
			}
			list, err := why.Explain(s, events, c.Args().First())
			if err != nil {
				return err
			}
			return output(c, list, why.Write)
		},
	}
}
