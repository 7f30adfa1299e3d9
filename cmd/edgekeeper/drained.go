package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/drained"
)

func waitDrainedCommand() *cli.Command {
	return &cli.Command{
		Name: "wait-drained", Usage: "wait until this host's server has no connections; with a command, run it and wait so before it is stopped",
		ArgsUsage: "[-- COMMAND ARG ...]",
		Description: "Without a command it is a stop step, such as ExecStop: it ends when the port has had no TCP connection for the time -settle, or after -timeout. " +
			"With a command it runs that: SIGTERM reaches the command only when its connections are gone. Take the server out of the catalog first, which Nomad does when a task is stopped.",
		Flags: []cli.Flag{
			&cli.UintFlag{Name: "port", Usage: "the server's port", Required: true, EnvVars: []string{"EDGEKEEPER_PORT"}},
			&cli.StringFlag{Name: "address", Usage: "only connections to this local address, such as the virtual one: health checks are not waited for then (default: any)", EnvVars: []string{"EDGEKEEPER_ADDRESS"}},
			&cli.DurationFlag{Name: "settle", Usage: "time without a connection that ends the wait: directors need a moment to hear of the stop", Value: 2 * time.Second, EnvVars: []string{"EDGEKEEPER_SETTLE"}},
			&cli.DurationFlag{Name: "timeout", Usage: "longest wait", Value: time.Minute, EnvVars: []string{"EDGEKEEPER_TIMEOUT"}},
		},
		Action: func(c *cli.Context) error {
			w, err := waitOf(c)
			if err != nil {
				return err
			}
			if !c.Args().Present() {
				return waitDrained(c.Context, c, w)
			}
			code, err := drained.Command(c.Args().Slice(), func(ctx context.Context) {
				if err := waitDrained(ctx, c, w); err != nil {
					fmt.Fprintf(c.App.ErrWriter, "edgekeeper: %v\n", err)
				}
			})
			switch {
			case err != nil:
				return err
			case code != 0:
				return exitCode(code)
			}
			return nil
		},
	}
}

func waitOf(c *cli.Context) (drained.Wait, error) {
	w := drained.Wait{Settle: c.Duration("settle"), Timeout: c.Duration("timeout"), Every: 200 * time.Millisecond, Count: drained.Count}
	port := c.Uint("port")
	if port < 1 || port > 65535 {
		return w, fmt.Errorf("-port %d: must be from 1 to 65535", port)
	}
	w.Filter.Port = uint16(port)
	if text := c.String("address"); text != "" {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return w, fmt.Errorf("-address %q: must be an address, such as 192.0.2.1", text)
		}
		w.Filter.Address = a.Unmap()
	}
	if w.Settle < 0 || w.Timeout < w.Settle {
		return w, fmt.Errorf("-settle %s, -timeout %s: -settle must not be negative, nor longer than -timeout", w.Settle, w.Timeout)
	}
	w.Report = func(left int) {
		fmt.Fprintf(c.App.ErrWriter, "edgekeeper: %s: %d connections\n", w.Filter, left)
	}
	return w, nil
}

// waitDrained says how the wait ended; connections that outlived it are an error.
func waitDrained(ctx context.Context, c *cli.Context, w drained.Wait) error {
	began := time.Now()
	left, err := w.Run(ctx)
	took := time.Since(began).Round(time.Millisecond)
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("wait for %s: stopped after %s with %d connections left", w.Filter, took, left)
	case err != nil:
		return fmt.Errorf("wait for %s: %w", w.Filter, err)
	case left > 0:
		return fmt.Errorf("wait for %s: %d connections left after %s", w.Filter, left, took)
	}
	fmt.Fprintf(c.App.ErrWriter, "edgekeeper: %s: drained after %s\n", w.Filter, took)
	return nil
}
