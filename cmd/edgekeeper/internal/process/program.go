package process

import (
	"bufio"
	"bytes"
	"fmt"
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

// span is a range of addresses; to is the first one behind it.
type span struct{ from, to uintptr }

// programMaps lists the read-only mappings of a file among those of a process
// (proc(5), /proc/pid/maps).
func programMaps(maps io.Reader, path string) (out []span) {
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var m span
		var mode, offset, device, inode string
		n, _ := fmt.Sscanf(lines.Text(), "%x-%x %s %s %s %s", &m.from, &m.to, &mode, &offset, &device, &inode)
		if n == 6 && strings.HasPrefix(mode, "r-") && strings.HasSuffix(lines.Text(), " "+path) {
			out = append(out, m)
		}
	}
	return out
}
