package process

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestProgramMaps: only what is of the program and cannot be written is given up.
func TestProgramMaps(t *testing.T) {
	const maps = `00400000-00fc4000 r-xp 00000000 fd:01 1234                               /usr/bin/edgekeeper
00fc4000-01bcd000 r--p 00bc4000 fd:01 1234                               /usr/bin/edgekeeper
01bcd000-01c9d000 rw-p 017cd000 fd:01 1234                               /usr/bin/edgekeeper
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
