package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
)

const resultsFile = "results.json"

// results is the file that a run leaves in the results folder.
type results struct {
	Boot      string            `json:"boot,omitempty"`
	Passed    int               `json:"passed"`
	Failed    int               `json:"failed"`
	Scenarios []scenario.Result `json:"scenarios"`
}

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
	r := results{Boot: boot, Scenarios: scenario.Run(ctx, list, o)}
	for _, s := range r.Scenarios {
		if s.Pass {
			r.Passed++
		} else {
			r.Failed++
		}
	}
	r.Failed += len(list) - len(r.Scenarios) // an interrupted run
	if err := save(o.Out, r); err != nil {
		return 1, err
	}
	for _, s := range r.Scenarios {
		for _, f := range s.Failures {
			fmt.Printf("%s: %s\n", s.Name, f)
		}
	}
	fmt.Printf("%d passed, %d failed (%s)\n", r.Passed, r.Failed, time.Since(began).Round(time.Second))
	if r.Failed > 0 {
		return 1, nil
	}
	return 0, nil
}

func save(out string, r results) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	if err := os.WriteFile(filepath.Join(out, resultsFile), b, 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
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
