// Command lab runs the site that edgekeeper is tested on: two directors, web
// servers and a client as network namespaces, with real traffic through a real
// IPVS table. See README.md beside this file.
//
// On a host whose kernel has IPVS, and as root, it runs right there; elsewhere
// it boots a virtual machine and runs itself inside.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/edgekeeper/edgekeeper/test/lab/guest"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	_ "github.com/edgekeeper/edgekeeper/test/lab/scenarios"
	"github.com/edgekeeper/edgekeeper/test/lab/traffic"
)

const usage = `usage: lab COMMAND

  run [-v] [-json FILE] [-on auto|host|guest] [-limit D] [-out DIR] [NAME|GLOB ...]
             run scenarios, all by default; exit status 1 if any failed
  list       list the scenarios
  demo [-json FILE] [-on …] [-out DIR]
             the demonstration, with a report of measured figures
  exec [-limit D] PROGRAM [ARG ...]
             run a program where the lab would: a kernel with IPVS, as root
  shell      bring the site up and give a shell in it
`

func main() {
	if guest.IsInit() {
		guest.Init()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := run(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "lab:", err)
		code = 1
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string) (int, error) {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return 2, nil
	}
	switch args[0] {
	case "run":
		return cmdRun(ctx, args[1:])
	case "list":
		return 0, list(os.Stdout)
	case "demo":
		return cmdDemo(ctx, args[1:])
	case "exec":
		return cmdExec(ctx, args[1:])
	case "shell":
		return cmdShell(ctx, args[1:])
	case "inside": // what runs where the site is
		return inside(ctx, args[1:])
	case "web":
		return 0, traffic.Web(ctx, args[1:])
	case "client":
		return 0, traffic.Client(ctx, args[1:])
	}
	fmt.Fprint(os.Stderr, usage)
	return 2, fmt.Errorf("no command %q", args[0])
}

func list(w io.Writer) error {
	for _, s := range scenario.All() {
		extra := ""
		if s.Extra {
			extra = " (only by name)"
		}
		if _, err := fmt.Fprintf(w, "%-22s %s%s\n", s.Name, s.Doc, extra); err != nil {
			return err
		}
	}
	return nil
}
