// Command edgekeeper puts a highly available virtual IP in front of services
// that live in Consul: `director` speaks VRRP and keeps the kernel's IPVS table
// equal to the catalog, `realserver` prepares web nodes for direct routing, and
// the other commands show and change what they do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/version"
)

func main() {
	// Nomad stops tasks with SIGINT, systemd with SIGTERM: both mean hand over.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr))
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := &cli.App{
		Name:                 "edgekeeper",
		Usage:                "highly available virtual IPs for services in Consul",
		Version:              version.String(),
		HideVersion:          true, // `edgekeeper version` tells it
		EnableBashCompletion: true,
		Writer:               stdout,
		ErrWriter:            stderr,
		ExitErrHandler:       func(*cli.Context, error) {}, // run prints and returns
		Commands: []*cli.Command{
			directorCommand(), realserverCommand(), validateCommand(), importCommand(), planCommand(),
			statusCommand(), poolsCommand(), vrrpCommand(), connectionsCommand(), eventsCommand(), whyCommand(),
			drainCommand(), undrainCommand(), weightCommand(), priorityCommand(), handoverCommand(),
			jobsCommand(), waitDrainedCommand(), cleanupCommand(), debugCommand(), completionCommand(), versionCommand(), guardianCommand(),
		},
		// Without a command that is known, this is what runs.
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return cli.ShowAppHelp(c)
			}
			hint := ""
			if s := cli.SuggestCommand(c.App.Commands, c.Args().First()); s != "" {
				hint = fmt.Sprintf(", did you mean %q?", s)
			}
			return fmt.Errorf("no command %q%s (edgekeeper help lists them)", c.Args().First(), hint)
		},
	}
	for _, c := range app.Commands {
		// A wrong flag is one sentence on stderr, not a page on stdout.
		c.OnUsageError = func(_ *cli.Context, err error, _ bool) error { return err }
	}
	err := app.RunContext(ctx, args)
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(stderr, "edgekeeper: "+strings.TrimRight(line, "\n"))
	}
	return 1
}

// exitCode ends the process with that code; whoever returns it has already said why.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit %d", int(e)) }
