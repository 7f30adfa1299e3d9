package agent

import (
	"testing"
	"time"
)

// TestTidiness: there is tidying when work is over, and once a minute while there is
// no end to it.
func TestTidiness(t *testing.T) {
	const tick = 10 * time.Second
	for _, tt := range []struct {
		name   string
		work   string // w: there was work before this review
		kernel string // u: the kernel has not all of it; as long as work
		want   string // t: tidied
	}{
		{"a start", "w......", ".......", ".t....."},
		{"a start whose verdicts come late", "w.ww...", ".......", ".t..t.."},
		{"nothing to do", ".......", ".......", "......."},
		{"the kernel takes long", "w......", "uuu....", "...t..."},
		{"no end to changes", "wwwwwwwwwwwww..", "...............", ".....t.....t.t."},
		{"the kernel refuses something", "w............", "uuuuuuuuuuuuu", ".....t.....t."},
	} {
		begun := time.Now()
		now := begun
		var d tidiness
		got := ""
		for i := range tt.work {
			if tt.work[i] == 'w' {
				d.work()
			}
			now = now.Add(tick)
			if d.review(now, begun, tt.kernel[i] == '.') {
				got += "t"
			} else {
				got += "."
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
