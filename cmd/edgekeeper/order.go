package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/show"
)

// arguments refuses a wrong number of words.
func arguments(least, most int) cli.BeforeFunc {
	return func(c *cli.Context) error {
		if n := c.NArg(); n < least || n > most {
			return fmt.Errorf("usage: edgekeeper %s [flags] %s", c.Command.Name, c.Command.ArgsUsage)
		}
		return nil
	}
}

// change is what an order prints: the setting that was written.
type change struct {
	Key     string `json:"key"`
	Value   string `json:"value,omitempty"`
	Deleted bool   `json:"deleted,omitempty"`
}

// set writes a live setting through the director, which knows where it is owned
// (Consul KV, or its own file), and says what it did.
func set(c *cli.Context, key, value string) error {
	if err := client(c).Put(c.Context, key, value); err != nil {
		return err
	}
	return report(c, change{Key: key, Value: value})
}

func unset(c *cli.Context, key string) error {
	if err := client(c).Delete(c.Context, key); err != nil {
		return err
	}
	return report(c, change{Key: key, Deleted: true})
}

func drainCommand() *cli.Command {
	return &cli.Command{
		Name: "drain", Usage: "give a real server, or every real server of a node, no new connections",
		ArgsUsage: "VIRTUAL-SERVER SERVER | -node NODE",
		Flags: []cli.Flag{
			socketFlag(), jsonFlag(),
			&cli.StringFlag{Name: "node", Usage: "drain this node in every virtual server", EnvVars: []string{"EDGEKEEPER_NODE"}},
			&cli.StringFlag{Name: "reason", Usage: "why; shown by status", Value: "by hand", EnvVars: []string{"EDGEKEEPER_REASON"}},
		},
		Action: func(c *cli.Context) error {
			key, err := drainKey(c)
			if err != nil {
				return err
			}
			return set(c, key, c.String("reason"))
		},
	}
}

func undrainCommand() *cli.Command {
	return &cli.Command{
		Name: "undrain", Usage: "take a drain back", ArgsUsage: "VIRTUAL-SERVER SERVER | -node NODE",
		Flags: []cli.Flag{
			socketFlag(), jsonFlag(),
			&cli.StringFlag{Name: "node", Usage: "the node that was drained", EnvVars: []string{"EDGEKEEPER_NODE"}},
		},
		Action: func(c *cli.Context) error {
			key, err := drainKey(c)
			if err != nil {
				return err
			}
			return unset(c, key)
		},
	}
}

func drainKey(c *cli.Context) (string, error) {
	switch node := c.String("node"); {
	case node != "" && !c.Args().Present():
		return "drain/node/" + node, nil
	case node == "" && c.NArg() == 2:
		return "drain/" + c.Args().Get(0) + "/" + c.Args().Get(1), nil
	}
	return "", fmt.Errorf("usage: edgekeeper %s [flags] %s", c.Command.Name, c.Command.ArgsUsage)
}

func weightCommand() *cli.Command {
	return &cli.Command{
		Name: "weight", Usage: "set a real server's weight; -reset goes back to the catalog's or config's",
		ArgsUsage: "VIRTUAL-SERVER SERVER [WEIGHT]",
		Flags:     []cli.Flag{socketFlag(), jsonFlag(), resetFlag()},
		Before:    arguments(2, 3),
		Action: func(c *cli.Context) error {
			return setOrReset(c, "weight/"+c.Args().Get(0)+"/"+c.Args().Get(1), c.Args().Get(2), 65535)
		},
	}
}

func priorityCommand() *cli.Command {
	return &cli.Command{
		Name: "priority", Usage: "set this director's VRRP priority; -reset goes back to the config's",
		ArgsUsage: "INSTANCE [PRIORITY]",
		Flags: []cli.Flag{
			socketFlag(), jsonFlag(), resetFlag(),
			&cli.StringFlag{Name: "router-id", Usage: "another director, by its router_id (with Consul)", EnvVars: []string{"EDGEKEEPER_ROUTER_ID"}},
		},
		Before: arguments(1, 2),
		Action: func(c *cli.Context) error {
			router, err := routerID(c.Context, c)
			if err != nil {
				return err
			}
			return setOrReset(c, "priority/"+c.Args().Get(0)+"/"+router, c.Args().Get(1), 254)
		},
	}
}

func resetFlag() cli.Flag {
	return &cli.BoolFlag{Name: "reset", Usage: "take the setting back", EnvVars: []string{"EDGEKEEPER_RESET"}}
}

func setOrReset(c *cli.Context, key, value string, most uint64) error {
	switch reset := c.Bool("reset"); {
	case reset && value == "":
		return unset(c, key)
	case reset || value == "":
		return fmt.Errorf("give a value or -reset, one of the two: edgekeeper %s [flags] %s", c.Command.Name, c.Command.ArgsUsage)
	}
	if n, err := strconv.ParseUint(value, 10, 64); err != nil || n > most {
		return fmt.Errorf("%s %q: must be a whole number up to %d; nothing was changed", c.Command.Name, value, most)
	}
	return set(c, key, value)
}

func routerID(ctx context.Context, c *cli.Context) (string, error) {
	if id := c.String("router-id"); id != "" {
		return id, nil
	}
	s, err := client(c).Snapshot(ctx)
	return s.RouterID, err
}

func handoverCommand() *cli.Command {
	return &cli.Command{
		Name: "handover", Usage: "give up mastership to a backup and wait until it has taken over", ArgsUsage: "[INSTANCE]",
		Flags:  []cli.Flag{socketFlag(), jsonFlag()},
		Before: arguments(0, 1),
		Action: func(c *cli.Context) error {
			done, err := client(c).Handover(c.Context, c.Args().First())
			if err != nil {
				return err
			}
			return output(c, done, show.Handovers)
		},
	}
}

func report(c *cli.Context, ch change) error {
	return output(c, ch, func(w io.Writer, ch change) error {
		_, err := fmt.Fprintf(w, "%s = %s\n", ch.Key, cmp.Or(ch.Value, "(deleted)"))
		return err
	})
}
