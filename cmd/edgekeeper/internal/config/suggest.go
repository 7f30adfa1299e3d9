package config

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// suggest gives `, did you mean "x"?` for the choice nearest to what was
// written, or nothing when none is near.
func suggest(got string, choices []string) string {
	best, distance := "", max(1, len(got)/3)+1
	for _, c := range choices {
		if d := levenshtein.Distance(strings.ToLower(got), c, nil); d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// oneOf lists choices for a message: "a", "b" or "c".
func oneOf(choices []string) string {
	quoted := make([]string, len(choices))
	for i, c := range choices {
		quoted[i] = fmt.Sprintf("%q", c)
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}
