package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
)

// runDemo runs the demonstration and prints its report.
func runDemo(ctx context.Context, boot, out string) (int, error) {
	list, err := scenario.Match([]string{demoScenario()})
	if err != nil {
		return 2, err
	}
	r, err := runAll(ctx, list, boot, scenario.Options{Out: out, Print: printLine})
	if err != nil {
		return 1, err
	}
	for _, s := range r.Scenarios {
		fmt.Print(report(s))
	}
	if r.Failed > 0 {
		return 1, nil
	}
	return 0, nil
}

// report renders the measured figures of a scenario.
func report(s scenario.Result) string {
	var b strings.Builder
	rule := strings.Repeat("─", 88)
	fmt.Fprintf(&b, "\n%s\n%s\n%s\n", rule, "Measured: "+s.Doc, rule)
	fmt.Fprintf(&b, "%-52s %7s %6s %6s\n", "phase", "length", "sent", "lost")
	sent, lost := 0, 0
	for _, p := range s.Phases {
		fmt.Fprintf(&b, "%-52s %6.1fs %6d %6d\n", p.Name, p.To.Sub(p.From).Seconds(), p.Sent, p.Lost)
		sent, lost = sent+p.Sent, lost+p.Lost
	}
	fmt.Fprintf(&b, "%-52s %7s %6d %6d\n\n", "all", "", sent, lost)
	for _, m := range s.Measures {
		fmt.Fprintf(&b, "%-52s %s\n", m.Name, m.Value)
	}
	verdict := "PASS"
	if !s.Pass {
		verdict = "FAIL: " + strings.TrimSpace(strings.Join(s.Failures, "; "))
	}
	fmt.Fprintf(&b, "%s\n%s in %s\n", rule, verdict, (time.Duration(s.Seconds*1000) * time.Millisecond).Round(100*time.Millisecond))
	return b.String()
}
