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

// plainPages has the kernel hold the memory that this process has now in pages of
// the ordinary size. Where transparent huge pages are on for all (Debian has them
// so), it would fill up what is given back: to a huge page of 2 MiB that is used in
// part, at once or minutes later (khugepaged). Programs that are started do not
// inherit it, unlike what prctl(PR_SET_THP_DISABLE) sets. What fails changes
// nothing.
func plainPages() {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for _, m := range memoryMaps(bytes.NewReader(maps)) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_NOHUGEPAGE)
	}
}

// memoryMaps lists the private mappings of no file that can be written to, but for
// the stack.
func memoryMaps(maps io.Reader) (out []span) {
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		m, mode, inode, ok := mapping(lines.Text())
		if ok && mode == "rw-p" && inode == "0" && !strings.HasSuffix(lines.Text(), "[stack]") {
			out = append(out, m)
		}
	}
	return out
}

// span is a range of addresses; to is the first one behind it.
type span struct{ from, to uintptr }

// mapping reads the line of a mapping (proc(5), /proc/pid/maps); false: it is none.
func mapping(line string) (m span, mode, inode string, ok bool) {
	var offset, device string
	n, _ := fmt.Sscanf(line, "%x-%x %s %s %s %s", &m.from, &m.to, &mode, &offset, &device, &inode)
	return m, mode, inode, n == 6
}
