package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
)

const shellLimit = 12 * time.Hour

// directorCommand returns the command that starts a director on host, when the
// program is there.
func directorCommand(s *scenario.Site, host string, n scenario.Need) (string, bool) {
	path := os.Getenv(n.Variable())
	if !filepath.IsAbs(path) {
		return "", false
	}
	var d director.Driver = director.Edgekeeper{Binary: path}
	if n == scenario.Keepalived {
		d = director.Keepalived{Binary: path}
	}
	return strings.Join(s.Director(host, d).Args(), " "), true
}

func terminal() string {
	if v := os.Getenv("TERM"); v != "" {
		return v
	}
	return "vt100"
}

// sane switches a serial line to what an interactive shell expects, and
// returns the undo. What is no terminal stays as it is.
func sane(fd int) func() {
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return func() {}
	}
	t := *old
	t.Oflag |= unix.OPOST | unix.ONLCR
	t.Lflag |= unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Iflag |= unix.ICRNL
	if unix.IoctlSetTermios(fd, unix.TCSETS, &t) != nil {
		return func() {}
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, old) } // the session ends with it
}
