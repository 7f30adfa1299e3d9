package track

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// processes lists the processes, not the threads.
func processes(root string) ([]int, error) {
	dir, err := os.Open(root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // only read
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			out = append(out, pid)
		}
	}
	return out, nil
}

// describe gives the kernel's name of a process and its command line. A process
// that has ended, reaped or not, is not ok.
func describe(root string, pid int) (comm string, words []string, ok bool) {
	dir := filepath.Join(root, strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return "", nil, false
	}
	// "pid (name) state …"; the name may hold anything, also ")".
	_, rest, found := strings.Cut(string(stat), "(")
	end := strings.LastIndex(rest, ") ")
	if !found || end < 0 || end+2 >= len(rest) {
		return "", nil, false
	}
	comm = rest[:end]
	switch rest[end+2] {
	case 'Z', 'X', 'x':
		return "", nil, false
	}
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return "", nil, false
	}
	if text := strings.TrimRight(string(line), "\x00"); text != "" {
		words = strings.Split(text, "\x00")
	}
	return comm, words, true
}
