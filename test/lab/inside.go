package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
)

// inside runs where the site is: in the guest, or on a host with IPVS.
func inside(ctx context.Context, args []string) (int, error) {
	out := os.Getenv("LAB_OUT")
	if out == "" || len(args) == 0 {
		return 2, fmt.Errorf("inside is for lab itself; use lab run")
	}
	fs := flag.NewFlagSet("lab inside", flag.ContinueOnError)
	verbose := fs.Bool("v", false, "show every step")
	if err := fs.Parse(args[1:]); err != nil {
		return 2, err
	}
	boot := os.Getenv("LAB_BOOT_SECONDS")
	if boot != "" {
		fmt.Printf("guest is up after %s s\n", boot)
	}
	switch args[0] {
	case "run":
		return runScenarios(ctx, fs.Args(), boot, scenario.Options{Out: out, Verbose: *verbose, Print: printLine})
	case "demo":
		return runDemo(ctx, boot, out)
	case "exec":
		return execute(ctx, fs.Args())
	case "shell":
		return shell(ctx, out)
	}
	return 2, fmt.Errorf("no command %q inside", args[0])
}

func printLine(line string) { fmt.Println(line) }

func runScenarios(ctx context.Context, names []string, boot string, o scenario.Options) (int, error) {
	list, err := scenario.Match(names)
	if err != nil {
		return 2, err
	}
	began := time.Now()
	r, err := runAll(ctx, list, boot, o)
	if err != nil {
		return 1, err
	}
	for _, s := range r.Scenarios {
		for _, f := range s.Failures {
			fmt.Printf("%s: %s\n", s.Name, f)
		}
	}
	if len(r.Frozen) > 0 {
		fmt.Printf("a guest froze during: %s\n", strings.Join(r.Frozen, ", "))
	}
	fmt.Printf("%d passed, %d failed (%s)\n", r.Passed, r.Failed, time.Since(began).Round(time.Second))
	if r.Failed > 0 {
		return 1, nil
	}
	return 0, nil
}

// execute runs a program and returns its exit status.
func execute(ctx context.Context, args []string) (int, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	var status *exec.ExitError
	if errors.As(err, &status) && status.Exited() {
		return status.ExitCode(), nil
	}
	if err != nil {
		return 1, fmt.Errorf("run %s: %w", args[0], err)
	}
	return 0, nil
}
