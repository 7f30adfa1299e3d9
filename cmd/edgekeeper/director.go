package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/inputs"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/live"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/migrate"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/process"
	"github.com/edgekeeper/edgekeeper/vrrp/guardian"
)

func directorCommand() *cli.Command {
	return &cli.Command{
		Name: "director", Usage: "run the director agent: VRRP, IPVS pools, checks",
		Description: "Runs in the foreground and logs to stderr. SIGTERM and SIGINT hand over and stop; SIGHUP reads the configuration again.",
		Flags:       []cli.Flag{configFlag(), configIDFlag(), socketFlag(), stateFlag()},
		Before:      noArguments,
		Action: func(c *cli.Context) error {
			path := c.String("config")
			load := func(path, id string, in *inputs.Reader) (*config.Config, []migrate.Finding, error) {
				cfg, differences, err := loadOn(path, id, in, nil)
				if err == nil {
					override(c, cfg)
				}
				return cfg, differences, err
			}
			id := c.String("config-id")
			if path == "" {
				return errors.New("director needs -config PATH (or EDGEKEEPER_CONFIG)")
			}
			process.Start()
			in := inputs.New(os.Getenv)
			cfg, differences, err := load(path, id, in)
			if err != nil {
				return err
			}
			log := logger(c.App.ErrWriter, cfg.Log)
			tellDifferences(log, differences)
			hup := make(chan os.Signal, 1)
			signal.Notify(hup, syscall.SIGHUP)
			defer signal.Stop(hup)
			return agent.Run(c.Context, agent.Options{
				Path: path, Config: cfg, Inputs: in, Reload: hup, Settled: process.Settled,
				Load: func() (*config.Config, *inputs.Reader, error) {
					process.Start() // reading a configuration is the most of a start
					in := inputs.New(os.Getenv)
					cfg, differences, err := load(path, id, in)
					tellDifferences(log, differences)
					return cfg, in, err
				},
				LoadFrom: func(path, id string) (*config.Config, error) {
					cfg, _, err := load(path, id, inputs.New(os.Getenv))
					return cfg, err
				},
				Guardian: func() *exec.Cmd { return guardian.Command(guardianName, "-state-dir", cfg.StateDir) },
				Log:      log,
			})
		},
	}
}

// override lets flags win over the configuration: a keepalived.conf has no word
// for these.
func override(c *cli.Context, cfg *config.Config) {
	if c.IsSet("socket") {
		cfg.Control.Socket = c.String("socket")
	}
	if c.IsSet("state-dir") {
		cfg.StateDir = c.String("state-dir")
	}
}

// tellDifferences logs what edgekeeper does otherwise than keepalived would.
func tellDifferences(log *slog.Logger, list []migrate.Finding) {
	for _, f := range list {
		log.Warn("keepalived.conf: "+f.Message, "at", f.At.String())
	}
}

// guardianName is the command that a director starts itself with.
const guardianName = "guardian"

func guardianCommand() *cli.Command {
	return &cli.Command{
		Name: guardianName, Hidden: true,
		Usage:  "hand over when the director dies; started by the director",
		Flags:  []cli.Flag{&cli.StringFlag{Name: "state-dir", Usage: "state folder of the director", Required: true}},
		Before: noArguments,
		Action: func(c *cli.Context) error {
			log := logger(c.App.ErrWriter, config.Log{})
			return guardian.Main(log, func() error {
				return agent.Withdraw(c.Context, c.String("state-dir"), agent.Platform{}, log)
			})
		},
	}
}

// logger writes key=value lines, or JSON.
func logger(w io.Writer, l config.Log) *slog.Logger {
	opts := &slog.HandlerOptions{Level: l.Level}
	if l.JSON {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

func validateCommand() *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "check a configuration without changing anything", ArgsUsage: "PATH",
		Flags: []cli.Flag{jsonFlag(), configIDFlag(),
			&cli.BoolFlag{Name: "live", Usage: "ask this host, too, whether it can do it: interfaces, addresses, IPVS, schedulers, tunnels, Consul", EnvVars: []string{"EDGEKEEPER_LIVE"}},
		},
		Before: arguments(1, 1),
		Action: func(c *cli.Context) error {
			path := c.Args().First()
			var host config.Host
			if c.Bool("live") {
				host = live.Host{Context: c.Context}
			}
			cfg, differences, err := loadOn(path, c.String("config-id"), inputs.New(os.Getenv), host)
			for _, d := range differences {
				if !c.Bool("json") {
					fmt.Fprintln(c.App.ErrWriter, d)
				}
			}
			var mistakes config.Error
			switch {
			case errors.As(err, &mistakes) && c.Bool("json"):
				return errors.Join(output(c, validation{Path: path, Mistakes: mistakes, Differences: differences}, nil), exitCode(1))
			case errors.As(err, &mistakes):
				fmt.Fprintln(c.App.ErrWriter, mistakes.Error())
				return exitCode(1)
			case err != nil:
				return err
			}
			return output(c, validation{Path: path, Valid: true, VRRP: len(cfg.Instances), VirtualServers: len(cfg.VirtualServers), Differences: differences}, func(w io.Writer, v validation) error {
				_, err := fmt.Fprintf(w, "%s is valid: %d VRRP instances, %d virtual servers\n", v.Path, v.VRRP, v.VirtualServers)
				return err
			})
		},
	}
}

// validation is what `validate -json` prints.
type validation struct {
	Path           string       `json:"path"`
	Valid          bool         `json:"valid"`
	VRRP           int          `json:"vrrp"`
	VirtualServers int          `json:"virtual_servers"`
	Mistakes       config.Error `json:"mistakes,omitempty"`
	// Differences are those of a keepalived.conf, which is valid all the same.
	Differences []migrate.Finding `json:"differences,omitempty"`
}
