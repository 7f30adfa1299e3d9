package process

import (
	"bytes"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// leaveProgram takes the program's own pages, code and constants, out of the
// memory of this process. Those that are used come back by themselves, from the
// kernel's cache of the file and without a disk: what stays out is what only the
// start has needed, which is half of them. Memory that is locked (mlockall)
// stays. What fails changes nothing.
func leaveProgram() {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for _, m := range programMaps(bytes.NewReader(maps), path) {
		// Nothing is lost: the mapping is read-only, and of a file.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
	}
}

// programMaps lists the read-only mappings of a file.
func programMaps(maps io.Reader, path string) []span {
	return mapsWith(maps, func(line, mode, _ string) bool {
		return strings.HasPrefix(mode, "r-") && strings.HasSuffix(line, " "+path)
	})
}
