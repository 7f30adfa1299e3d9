package migrate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/keepalived"
)

type (
	statement = keepalived.Statement
	position  = keepalived.Position
)

// words says what the statements of a block mean, by keyword.
type words map[string]func(statement)

// commands are the keywords after which a command line stands. Its quotation
// marks follow rules of their own.
var commands = []string{
	"script", "notify", "notify_master", "notify_backup", "notify_fault", "notify_stop", "notify_deleted", "notify_master_rx_lower_pri",
	"notify_up", "notify_down", "quorum_up", "quorum_down", "misc_path", "startup_script", "shutdown_script",
	"notify_fifo_script", "vrrp_notify_fifo_script", "lvs_notify_fifo_script",
}

// each gives the statements of a block to their handlers. known are keywords
// without one, and what is said of them: that, and why, is a difference; an
// empty text means that edgekeeper does the same without being told.
func (t *translator) each(block string, list []statement, handlers words, known ...map[string]string) {
next:
	for _, s := range list {
		if s.Unbalanced && !slices.Contains(commands, s.Name()) {
			t.errorf(s.At, "%s: a quotation mark without its partner", s.Name())
			continue
		}
		if h, ok := handlers[s.Name()]; ok {
			h(s)
			continue
		}
		for _, k := range known {
			if text, ok := k[s.Name()]; ok {
				if text != "" {
					t.differ(s.At, "%s: %s", s.Name(), text)
				}
				continue next
			}
		}
		t.errorf(s.At, "unknown keyword %q%s", s.Name(), in(block))
	}
}

func in(block string) string {
	if block == "" {
		return ""
	}
	return " in " + block
}

// values gives the words of a block that lists values, such as notification_email.
func values(s statement) []string {
	var out []string
	for _, line := range s.Block {
		out = append(out, line.Words...)
	}
	return out
}

// integer reads argument i as a whole number.
func (t *translator) integer(s statement, i int, lo, hi int64) (int, bool) {
	n, err := strconv.ParseInt(s.Arg(i), 0, 64)
	if err != nil || n < lo || n > hi {
		t.bad(s, i, "a whole number from %d to %d", lo, hi)
		return 0, false
	}
	return int(n), true
}

// seconds reads argument i as a time in seconds, perhaps with a fraction.
func (t *translator) seconds(s statement, i int) (time.Duration, bool) {
	f, err := strconv.ParseFloat(s.Arg(i), 64)
	if err != nil || f < 0 || f > 1e8 || math.IsNaN(f) {
		t.bad(s, i, "a time in seconds")
		return 0, false
	}
	// keepalived counts microseconds.
	return time.Duration(math.Round(f*1e6)) * time.Microsecond, true
}

// flag reads on, true, yes, off, false or no as argument 1; without it is true.
func (t *translator) flag(s statement) (on, ok bool) {
	switch s.Arg(1) {
	case "", "on", "true", "yes":
		return true, true
	case "off", "false", "no":
		return false, true
	}
	t.bad(s, 1, "on, true, yes, off, false or no")
	return false, false
}

// one reads argument 1 as it is.
func (t *translator) one(s statement) (string, bool) {
	if s.Arg(1) == "" {
		t.errorf(s.At, "%s needs a value", s.Name())
		return "", false
	}
	return s.Arg(1), true
}

func (t *translator) bad(s statement, i int, format string, args ...any) {
	want := format
	if len(args) > 0 {
		want = fmt.Sprintf(format, args...)
	}
	if s.Arg(i) == "" {
		t.errorf(s.At, "%s needs %s", s.Name(), want)
		return
	}
	t.errorf(s.At, "%s: %q is not %s", s.Name(), s.Arg(i), want)
}

// clock gives a duration that edgekeeper takes: at most a day.
func (t *translator) clock(s statement, d time.Duration) time.Duration {
	if d > 24*time.Hour {
		t.differ(s.At, "%s: %s is more than a day; it is a day", s.Name(), span(d))
		return 24 * time.Hour
	}
	return d
}

// command reads the command line of a statement: the program and its arguments,
// and who runs it. A program that is no absolute path is left to a shell to find.
func (t *translator) command(s statement) (argv []string, user []string, ok bool) {
	outer, err := keepalived.Escaped(s.Raw)
	if err != nil {
		t.errorf(s.At, "%s: %v", s.Name(), err)
		return nil, nil, false
	}
	if len(outer) < 2 || strings.TrimSpace(outer[1]) == "" {
		t.errorf(s.At, "%s needs a program", s.Name())
		return nil, nil, false
	}
	argv, err = keepalived.Escaped(outer[1])
	if err != nil {
		t.errorf(s.At, "%s: %v", s.Name(), err)
		return nil, nil, false
	}
	if len(argv) == 0 || slices.Contains(argv, "") || strings.ContainsRune(strings.Join(argv, ""), 0) {
		t.errorf(s.At, "%s: an empty argument, or one that holds a NUL", s.Name())
		return nil, nil, false
	}
	if !strings.HasPrefix(argv[0], "/") {
		t.differ(s.At, "%s: %q is no absolute path; /usr/bin/env looks for it in the director's PATH", s.Name(), argv[0])
		argv = append([]string{"/usr/bin/env"}, argv...)
	}
	return argv, outer[2:], true
}
