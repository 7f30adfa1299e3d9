package site

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Use is what the machine and its processes had of the processors until a
// moment. All hosts of a site share the processors of one machine, which real
// ones do not: where that is what a site suffers from, it shows here.
type Use struct {
	at        time.Time
	busy      time.Duration // of all processors
	programs  map[string]run
	Available int // MiB of memory
	faults    int // that had to read from a disk
}

// run is the time that threads ran, and that they could have run and had no
// processor.
type run struct{ ran, waited time.Duration }

// tick is the unit of processor time in /proc (USER_HZ).
const tick = 10 * time.Millisecond

// Machine reads what has been used so far.
func Machine() (Use, error) {
	u := Use{at: time.Now(), programs: make(map[string]run)}
	stat, err := numbers("/proc/stat", "cpu")
	if err != nil {
		return u, err
	}
	for i, n := range stat[:min(8, len(stat))] {
		if i != 3 && i != 4 { // idle, iowait
			u.busy += time.Duration(n) * tick
		}
	}
	memory, err := numbers("/proc/meminfo", "MemAvailable:")
	if err != nil {
		return u, err
	}
	faults, err := numbers("/proc/vmstat", "pgmajfault")
	if err != nil {
		return u, err
	}
	u.Available, u.faults = memory[0]/1024, faults[0]
	err = eachProcess(func(pid int) {
		cmd, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || len(cmd) == 0 { // ended meanwhile, or the kernel's
			return
		}
		args := strings.Split(string(cmd), "\x00")
		name := filepath.Base(args[0])
		if len(args) > 1 && !strings.HasPrefix(args[1], "-") {
			name += " " + args[1]
		}
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)) // the pattern is well formed
		r := u.programs[name]
		for _, path := range threads {
			b, err := os.ReadFile(path)
			if f := strings.Fields(string(b)); err == nil && len(f) > 1 {
				ran, _ := strconv.Atoi(f[0]) // the kernel writes numbers
				waited, _ := strconv.Atoi(f[1])
				r.ran, r.waited = r.ran+time.Duration(ran), r.waited+time.Duration(waited)
			}
		}
		u.programs[name] = r
	})
	return u, err
}

// numbers are those of a line that begins with key.
func numbers(path, key string) (list []int, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read what is used: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != key {
			continue
		}
		for _, v := range f[1:] {
			if n, err := strconv.Atoi(v); err == nil {
				list = append(list, n)
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("read what is used: no %s in %s", key, path)
}

// Busy is how many processors were at work on average since an earlier moment.
func (u Use) Busy(since Use) float64 { return float64(u.busy-since.busy) / float64(u.at.Sub(since.at)) }

// Since tells what was used since an earlier moment: the programs that had most,
// how long they ran, and how long their threads waited for a processor.
// Processes that have ended meanwhile are in the sum alone.
func (u Use) Since(since Use) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.2f processors busy for %.1f s, %d MiB available, %d major faults;", u.Busy(since), u.at.Sub(since.at).Seconds(), u.Available, u.faults-since.faults)
	grew := make(map[string]run)
	for name, r := range u.programs {
		before := since.programs[name]
		grew[name] = run{max(0, r.ran-before.ran), max(0, r.waited-before.waited)}
	}
	names := slices.SortedFunc(maps.Keys(grew), func(a, b string) int { return int(grew[b].ran - grew[a].ran) })
	for _, name := range names[:min(10, len(names))] {
		fmt.Fprintf(&b, " %s %.1f/%.1f s,", name, grew[name].ran.Seconds(), grew[name].waited.Seconds())
	}
	return strings.TrimRight(b.String(), ",;")
}
