package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/show"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/version"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// DefaultSocket is where a director listens unless its config says otherwise.
const defaultSocket = "/run/edgekeeper/director.sock"

func socketFlag() cli.Flag {
	return &cli.StringFlag{Name: "socket", Usage: "control socket of the director", Value: defaultSocket, EnvVars: []string{"EDGEKEEPER_SOCKET"}}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON instead of a table", EnvVars: []string{"EDGEKEEPER_JSON"}}
}

func client(c *cli.Context) *control.Client { return control.NewClient(c.String("socket")) }

// noArguments refuses words that would be ignored.
func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("%s takes no argument, got %q (flags come first)", c.Command.Name, c.Args().First())
	}
	return nil
}

// output writes v as JSON or through text.
func output[T any](c *cli.Context, v T, text func(io.Writer, T) error) error {
	if !c.Bool("json") {
		return text(c.App.Writer, v)
	}
	e := json.NewEncoder(c.App.Writer)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

func statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show everything: addresses, pools, sources, and what needs attention",
		Flags:  []cli.Flag{socketFlag(), jsonFlag()},
		Before: noArguments,
		Action: func(c *cli.Context) error {
			s, err := client(c).Snapshot(c.Context)
			if err != nil {
				return err
			}
			return output(c, s, show.Status)
		},
	}
}

func poolsCommand() *cli.Command {
	return &cli.Command{
		Name: "pools", Usage: "show virtual servers and their real servers", ArgsUsage: "[virtual-server ...]",
		Flags: []cli.Flag{
			socketFlag(), jsonFlag(),
			&cli.BoolFlag{Name: "stats", Usage: "show what the kernel has counted of each: connections, packets, bytes", EnvVars: []string{"EDGEKEEPER_STATS"}},
			&cli.BoolFlag{Name: "rates", Usage: "show what that is per second, by the kernel's average", EnvVars: []string{"EDGEKEEPER_RATES"}},
		},
		Action: func(c *cli.Context) error {
			if c.Bool("stats") && c.Bool("rates") {
				return errors.New("-stats and -rates are two tables, ask for one (-json has both)")
			}
			s, err := client(c).Snapshot(c.Context)
			if err != nil {
				return err
			}
			s.Pools, err = pick(s.Pools, c.Args().Slice(), "virtual server", func(p control.Pool) string { return p.Name })
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return output(c, s.Pools, nil)
			}
			switch {
			case c.Bool("stats"):
				return show.Counters(c.App.Writer, s)
			case c.Bool("rates"):
				return show.Rates(c.App.Writer, s)
			}
			return show.Pools(c.App.Writer, s)
		},
	}
}

func vrrpCommand() *cli.Command {
	return &cli.Command{
		Name: "vrrp", Usage: "show VRRP instances and who holds their addresses", ArgsUsage: "[instance ...]",
		Flags: []cli.Flag{socketFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			s, err := client(c).Snapshot(c.Context)
			if err != nil {
				return err
			}
			s.VRRP, err = pick(s.VRRP, c.Args().Slice(), "VRRP instance", func(r control.Router) string { return r.Name })
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return output(c, s.VRRP, nil)
			}
			return show.VRRP(c.App.Writer, s)
		},
	}
}

// pick keeps the named items; all of them when no name is given. A name that
// does not exist is an error that lists those that do.
func pick[T any](items []T, names []string, what string, name func(T) string) ([]T, error) {
	if len(names) == 0 {
		return items, nil
	}
	var out []T
	for _, n := range names {
		i := slices.IndexFunc(items, func(t T) bool { return name(t) == n })
		if i < 0 {
			var have []string
			for _, t := range items {
				have = append(have, name(t))
			}
			return nil, fmt.Errorf("no %s %q; there are: %s", what, n, strings.Join(have, ", "))
		}
		out = append(out, items[i])
	}
	return out, nil
}

func connectionsCommand() *cli.Command {
	return &cli.Command{
		Name: "connections", Usage: "show which real server serves which client",
		Flags: []cli.Flag{
			socketFlag(), jsonFlag(),
			&cli.StringFlag{Name: "client", Usage: "only connections of this client address", EnvVars: []string{"EDGEKEEPER_CLIENT"}},
			&cli.StringFlag{Name: "virtual", Usage: "only connections to this virtual server (name, address or address:port)", EnvVars: []string{"EDGEKEEPER_VIRTUAL"}},
			&cli.StringFlag{Name: "server", Usage: "only connections to this real server (address or address:port)", EnvVars: []string{"EDGEKEEPER_SERVER"}},
			&cli.DurationFlag{Name: "watch", Usage: "show them again after this time, such as 2s, until interrupted", EnvVars: []string{"EDGEKEEPER_WATCH"}},
			&cli.StringFlag{Name: "state", Usage: "only connections in this state, such as ESTABLISHED", EnvVars: []string{"EDGEKEEPER_STATE"}},
		},
		Before: noArguments,
		Action: func(c *cli.Context) error {
			filter := lvs.ConnectionFilter{State: c.String("state")}
			var err error
			if filter.Client, _, err = address(c, "client"); err != nil {
				return err
			}
			if err := virtual(c, &filter); err != nil {
				return err
			}
			if filter.Dest, filter.DestPort, err = address(c, "server"); err != nil {
				return err
			}
			if c.Duration("watch") < 0 {
				return fmt.Errorf("-watch %s: must not be negative", c.Duration("watch"))
			}
			return repeat(c.Context, c.Duration("watch"), func(ctx context.Context) error {
				list, err := client(c).Connections(ctx, filter)
				if err != nil {
					return err
				}
				return output(c, list, show.Connections)
			})
		},
	}
}

// virtual reads the flag of that name: an address, an address and port, or the
// name of a virtual server, which the director is asked for.
func virtual(c *cli.Context, filter *lvs.ConnectionFilter) (err error) {
	name := c.String("virtual")
	if filter.Virtual, filter.Port, err = address(c, "virtual"); err == nil || strings.ContainsAny(name, ":") {
		return err
	}
	s, err := client(c).Snapshot(c.Context)
	if err != nil {
		return err
	}
	pools, err := pick(s.Pools, []string{name}, "virtual server", func(p control.Pool) string { return p.Name })
	if err != nil {
		return err
	}
	entries := pools[0].Addresses
	if len(entries) == 0 {
		entries = []string{pools[0].Service}
	}
	filter.Mark = pools[0].Mark
	for _, e := range entries {
		protocol, span, _ := strings.Cut(e, " ")
		parsed, err := lvs.ParseSpan(span)
		if err == nil {
			err = filter.Protocol.UnmarshalText([]byte(protocol))
		}
		if err != nil {
			return fmt.Errorf("-virtual %s: it is %s, whose packets other rules choose; ask for an address", name, e)
		}
		filter.Spans = append(filter.Spans, parsed)
	}
	return nil
}

// address reads a flag that is an address or an address and port.
func address(c *cli.Context, flag string) (netip.Addr, uint16, error) {
	text := c.String(flag)
	if text == "" {
		return netip.Addr{}, 0, nil
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr(), ap.Port(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return a, 0, fmt.Errorf("-%s %q: must be an address or address:port", flag, text)
	}
	return a, 0, nil
}

func eventsCommand() *cli.Command {
	return &cli.Command{
		Name: "events", Usage: "show what changed and why",
		Flags: []cli.Flag{
			socketFlag(), jsonFlag(),
			&cli.Uint64Flag{Name: "since", Usage: "only events after this sequence number", EnvVars: []string{"EDGEKEEPER_SINCE"}},
		},
		Before: noArguments,
		Action: func(c *cli.Context) error {
			list, err := client(c).Events(c.Context, c.Uint64("since"))
			if err != nil {
				return err
			}
			return output(c, list, show.Events)
		},
	}
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "show which build this is",
		Flags:  []cli.Flag{jsonFlag()},
		Before: noArguments,
		Action: func(c *cli.Context) error {
			return output(c, version.Get(), func(w io.Writer, i version.Info) error {
				_, err := fmt.Fprintf(w, "edgekeeper %s %s\n", version.String(), i.Go)
				return err
			})
		},
	}
}
