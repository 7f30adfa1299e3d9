// Package numberfile reads a number from the first line of a file, for those who
// let one decide: the trackers of virtual routers and the native checks.
package numberfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// ErrEmpty is a file without anything in its first line. Who writes a file with
// `echo 10 > file` empties it first, so it may not stay so.
var ErrEmpty = errors.New("the file is empty")

var errNotRegular = errors.New("not a regular file")

// most is more than any number needs.
const most = 128

// Read gives the number in the first line of a file. The error of one that is
// not there is fs.ErrNotExist.
func Read(path string) (int, error) {
	text, err := start(path)
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.TrimSpace(line)
	if line == "" {
		return 0, ErrEmpty
	}
	n, err := strconv.Atoi(line)
	if err != nil {
		return 0, fmt.Errorf("the file holds %q, which is no number", line)
	}
	return n, nil
}

// start reads the beginning of a regular file: to read a pipe or a device could
// take for ever.
func start(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("read %s: %w", path, errNotRegular)
	}
	r, err := os.Open(path)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(r, most))
	return string(b), errors.Join(err, r.Close())
}
