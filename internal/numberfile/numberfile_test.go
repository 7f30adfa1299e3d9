package numberfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	if _, err := Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for _, c := range []struct {
		text string
		want int
		err  string
	}{
		{"7\n", 7, ""},
		{" -20 \nmore", -20, ""},
		{"+3", 3, ""},
		{"", 0, "empty"},
		{"\n", 0, "empty"},
		{"1.5", 0, `"1.5", which is no number`},
		{"99999999999999999999", 0, "no number"},
		{strings.Repeat("1", 1000), 0, "no number"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		n, err := Read(path)
		if n != c.want || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %d, %v", c.text, n, err)
		}
	}
	if _, err := Read(t.TempDir()); !errors.Is(err, errNotRegular) {
		t.Errorf("a folder: %v", err)
	}
}
