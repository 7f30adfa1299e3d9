package process

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestProgramMaps: only what is of the program, cannot be written and never was is
// given up.
func TestProgramMaps(t *testing.T) {
	const maps = `00400000-00fc4000 r-xp 00000000 fd:01 1234                               /usr/bin/edgekeeper
Size:              12048 kB
Rss:                6000 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00fc4000-01bcd000 r--p 00bc4000 fd:01 1234                               /usr/bin/edgekeeper
Anonymous:             0 kB
01bcd000-01c9d000 rw-p 017cd000 fd:01 1234                               /usr/bin/edgekeeper
Anonymous:           180 kB
03000000-03001000 r--p 017dd000 fd:01 1234                               /usr/bin/edgekeeper
Anonymous:             4 kB
01c9d000-03ce3000 rw-p 00000000 00:00 0
c000000000-c000400000 rw-p 00000000 00:00 0
7f0000000000-7f0000001000 r--p 00000000 fd:01 99                         /usr/bin/other
7ffc9d5e6000-7ffc9d5e8000 r-xp 00000000 00:00 0                          [vdso]
`
	got := programMaps(strings.NewReader(maps), "/usr/bin/edgekeeper")
	if want := []span{{0x400000, 0xfc4000}, {0xfc4000, 0x1bcd000}}; !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// TestLeaveProgram: the program goes on, with fewer of its own pages in memory.
func TestLeaveProgram(t *testing.T) {
	resident := func() (kib int) {
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := bytes.Cut(b, []byte("RssFile:"))
		for _, c := range bytes.TrimSpace(after) {
			if c < '0' || c > '9' {
				break
			}
			kib = 10*kib + int(c-'0')
		}
		return kib
	}
	before := resident()
	leaveProgram()
	if after := resident(); after >= before || after == 0 {
		t.Errorf("%d KiB of files in memory, %d before", after, before)
	}
}

// TestMemoryMaps: only memory is meant that is of no file and can be written.
func TestMemoryMaps(t *testing.T) {
	const maps = `00400000-00fc4000 r-xp 00000000 fd:01 1234                               /usr/bin/edgekeeper
01bcd000-01c9d000 rw-p 017cd000 fd:01 1234                               /usr/bin/edgekeeper
01c9d000-03ce3000 rw-p 00000000 00:00 0
c000000000-c000400000 rw-p 00000000 00:00 0                              [anon: Go: heap]
c000400000-c004000000 ---p 00000000 00:00 0                              [anon: Go: heap]
7f0000000000-7f0000001000 rw-s 00000000 00:01 99                         /dev/zero (deleted)
7ffc9d5c4000-7ffc9d5e5000 rw-p 00000000 00:00 0                          [stack]
7ffc9d5e6000-7ffc9d5e8000 r-xp 00000000 00:00 0                          [vdso]
`
	got := memoryMaps(strings.NewReader(maps))
	if want := []span{{0x1c9d000, 0x3ce3000}, {0xc000000000, 0xc000400000}}; !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// TestPlainPages: what was allocated is in a mapping without huge pages afterwards
// ("nh" among its flags, proc(5)).
func TestPlainPages(t *testing.T) {
	kept := make([]byte, 1<<20)
	plainPages()
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	var at uintptr
	if _, err := fmt.Sscanf(fmt.Sprintf("%p", kept), "0x%x", &at); err != nil {
		t.Fatal(err)
	}
	flags, inside := "", false
	for line := range strings.Lines(string(b)) {
		var m span
		if n, _ := fmt.Sscanf(line, "%x-%x ", &m.from, &m.to); n == 2 {
			inside = m.from <= at && at < m.to
		} else if inside && strings.HasPrefix(line, "VmFlags:") {
			flags = line
		}
	}
	if !strings.Contains(flags, " nh") {
		t.Errorf("flags of the mapping with %x: %q", at, flags)
	}
	_ = kept[0]
}
