package main

import (
	"slices"
	"testing"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
)

// TestGoOnAfterFreeze has a second guest go on with what the first one left.
func TestGoOnAfterFreeze(t *testing.T) {
	var ran []string
	list := make([]scenario.Scenario, 4)
	for i, name := range []string{"a", "b", "c", "d"} {
		list[i] = scenario.Scenario{Name: name, Limit: scenario.DefaultLimit, Run: func(t *scenario.T) {
			ran = append(ran, name)
			if name == "b" {
				t.Errorf("fails")
			}
		}}
	}
	out := t.TempDir()
	o := scenario.Options{Out: out, Print: func(line string) { t.Log(line) }}
	if _, err := runAll(t.Context(), list[:2], "", o); err != nil {
		t.Fatal(err)
	}
	j := job{out: out, list: list}
	if err := j.noteFrozen(); err != nil {
		t.Fatal(err)
	}
	if _, err := runAll(t.Context(), list, "", o); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b", "c", "d"}; !slices.Equal(ran, want) {
		t.Errorf("ran %q, want %q", ran, want)
	}
	last, err := loadResults(out)
	if err != nil {
		t.Fatal(err)
	}
	if last.Passed != 3 || last.Failed != 1 || len(last.Scenarios) != 4 || !slices.Equal(last.Frozen, []string{"c"}) {
		t.Errorf("results: %d passed, %d failed of %d, frozen during %q", last.Passed, last.Failed, len(last.Scenarios), last.Frozen)
	}
}
