package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
)

const resultsFile = "results.json"

// results is the file that a run leaves in the results folder, brought up to
// date after each scenario.
type results struct {
	Boot      string            `json:"boot,omitempty"`
	Frozen    []string          `json:"frozen,omitempty"` // what ran when a guest froze; it ran again in another one
	Passed    int               `json:"passed"`
	Failed    int               `json:"failed"`
	Scenarios []scenario.Result `json:"scenarios"`
}

// runAll runs what has no result yet in the results folder, and keeps the results
// there.
func runAll(ctx context.Context, list []scenario.Scenario, boot string, o scenario.Options) (*results, error) {
	r, err := loadResults(o.Out) // a guest that froze has left some
	if err != nil {
		return nil, err
	}
	r.Boot, o.Earlier = boot, r.Scenarios
	o.Keep = func(done []scenario.Result) {
		r.Scenarios, r.Passed = done, 0
		for _, s := range done {
			if s.Pass {
				r.Passed++
			}
		}
		r.Failed = len(list) - r.Passed // what has not run, too
		err = r.save(o.Out)
	}
	o.Keep(scenario.Run(ctx, list, o))
	return r, err
}

// loadResults reads what is in the results folder, if anything.
func loadResults(out string) (*results, error) {
	r := new(results)
	b, err := os.ReadFile(filepath.Join(out, resultsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(b, r)
	}
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	return r, nil
}

// save replaces the results in one step: the machine may freeze in the middle.
func (r *results) save(out string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(out, resultsFile), b, 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}
