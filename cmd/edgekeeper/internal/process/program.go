package process

import (
	"bufio"
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
		// Nothing is lost: the mapping is read-only, and all of it as in the file.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
	}
}

// program are the mappings of the program's code and constants, which stay as they
// are. None where that cannot be read.
var program = sync.OnceValue(func() []span {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return nil
	}
	return programMaps(bytes.NewReader(maps), path)
})

// programMaps lists the read-only mappings of a file (proc(5), /proc/pid/smaps) that
// have nothing but what is in it. In an executable that is placed anywhere (PIE) some
// were written to, and became read-only then.
func programMaps(smaps io.Reader, path string) (out []span) {
	of := false // the lines are about the last of out
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		line := lines.Text()
		if m, mode, _, ok := mapping(line); ok {
			if of = strings.HasPrefix(mode, "r-") && strings.HasSuffix(line, " "+path); of {
				out = append(out, m)
			}
		} else if f := strings.Fields(line); of && len(f) > 1 && f[0] == "Anonymous:" && f[1] != "0" {
			out, of = out[:len(out)-1], false
		}
	}
	return out
}
