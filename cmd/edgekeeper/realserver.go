package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"

	"strings"

	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/realserver"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/statedir"
)

const defaultStateDir = "/var/lib/edgekeeper"

func stateFlag() cli.Flag {
	return &cli.StringFlag{Name: "state-dir", Usage: "folder that records what was changed (default: the configuration's, else " + defaultStateDir + ")", EnvVars: []string{"EDGEKEEPER_STATE_DIR"}}
}

func realserverCommand() *cli.Command {
	return &cli.Command{
		Name: "realserver", Usage: "make this host a real server for direct routing, for as long as it runs",
		Description: "Puts the virtual addresses on lo with a host route and sets arp_ignore and arp_announce, repairs them, and undoes all of it when it is stopped.",
		Flags: []cli.Flag{
			configFlag(), configIDFlag(), stateFlag(),
			&cli.StringSliceFlag{Name: "vip", Usage: "virtual address; may be repeated", EnvVars: []string{"EDGEKEEPER_VIP"}},
			&cli.StringFlag{Name: "interface", Usage: "interface that carries the virtual addresses (default: the configuration's, else lo)", EnvVars: []string{"EDGEKEEPER_INTERFACE"}},
		},
		Before: noArguments,
		Action: func(c *cli.Context) error {
			cfg, log, err := realserverConfig(c)
			if err != nil {
				return err
			}
			cfg.Log = log
			return realserver.Run(c.Context, cfg)
		},
	}
}

// realserverConfig merges flags over the configuration file.
func realserverConfig(c *cli.Context) (realserver.Config, *slog.Logger, error) {
	out := realserver.Config{ManageSysctls: true}
	logging, stateDir, device := config.Log{Level: slog.LevelInfo}, defaultStateDir, "lo"
	if path := c.String("config"); path != "" {
		file, _, err := load(path, c.String("config-id"))
		if err != nil {
			return out, nil, err
		}
		logging, stateDir = file.Log, file.StateDir
		if r := file.RealServer; r != nil {
			out.VIPs, out.ManageSysctls, device = r.VIPs, r.ManageSysctls, r.Interface
		}
	}
	out.StateDir = cmp.Or(c.String("state-dir"), stateDir)
	out.Interface = cmp.Or(c.String("interface"), device)
	if vips := c.StringSlice("vip"); len(vips) > 0 {
		out.VIPs = nil
		for _, text := range vips {
			a, err := netip.ParseAddr(strings.TrimSpace(text))
			if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
				return out, nil, fmt.Errorf("-vip %q: must be an address without a mask, such as 192.0.2.1", text)
			}
			out.VIPs = append(out.VIPs, a)
		}
	}
	if len(out.VIPs) == 0 {
		return out, nil, errors.New("no virtual address: give -vip, or -config with a real_server_agent block")
	}
	return out, logger(c.App.ErrWriter, logging), nil
}

func cleanupCommand() *cli.Command {
	return &cli.Command{
		Name: "cleanup", Usage: "undo what a killed director or real-server agent left on this host",
		Description: "Takes off the virtual addresses and puts back the kernel settings that the state folder records; of a director without on_stop = \"keep\" also the virtual servers. Where an agent lives, or stopped cleanly, it does nothing. It is meant for a poststop task or ExecStopPost.",
		Flags:       []cli.Flag{configFlag(), configIDFlag(), stateFlag()},
		Before:      noArguments,
		Action: func(c *cli.Context) error {
			dir := defaultStateDir
			if path := c.String("config"); path != "" {
				cfg, _, err := load(path, c.String("config-id"))
				if err != nil {
					return err
				}
				dir = cfg.StateDir
			}
			dir = cmp.Or(c.String("state-dir"), dir)
			if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
				return nil // nothing ever ran with this folder
			}
			log := logger(c.App.ErrWriter, config.Log{Level: slog.LevelInfo})
			var errs []error
			for _, err := range []error{agent.Cleanup(c.Context, dir, agent.Platform{}, log), realserver.Cleanup(dir, log)} {
				if errors.Is(err, statedir.ErrRunning) {
					fmt.Fprintf(c.App.ErrWriter, "edgekeeper: %v: left alone\n", err)
				} else {
					errs = append(errs, err)
				}
			}
			return errors.Join(errs...)
		},
	}
}
