package process

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// leaveProgram takes the program's own pages, code and constants, out of the
// memory of this process. Those that are used come back by themselves, from the
// kernel's cache of the file and without a disk: what stays out is what was needed
// once. Memory that is locked (mlockall) stays. What fails changes nothing.
func leaveProgram() {
	for _, m := range program() {
		// Nothing is lost: the mapping is read-only, and of a file.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
	}
}

// program are the mappings of the program's code and constants, which stay as they
// are. None where they cannot be read.
var program = sync.OnceValue(func() []span {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	return programMaps(bytes.NewReader(maps), path)
})

// programMaps lists the read-only mappings of a file.
func programMaps(maps io.Reader, path string) []span {
	return mapsWith(maps, func(line, mode, _ string) bool {
		return strings.HasPrefix(mode, "r-") && strings.HasSuffix(line, " "+path)
	})
}
