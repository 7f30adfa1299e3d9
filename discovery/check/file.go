package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/internal/numberfile"
)

// file makes a probe that reads a number from a file. With a weight the number
// times it is added to the target's weight, without one any number but 0 is
// down, both as keepalived's FILE_CHECK does. A file that cannot be read, is
// empty or holds no number says nothing: it may be half written.
func (m *Maker) file(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	path := strings.NewReplacer("{address}", c.Target.Addr().String(), "{port}", strconv.Itoa(int(c.Target.Port()))).Replace(spec.File.Path)
	return func(context.Context) (Note, error) {
		n, err := numberfile.Read(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			n = spec.File.Missing
		case err != nil:
			return Note{}, &localError{"file", err}
		}
		switch {
		case spec.File.Weight != 0:
			return Note{Weight: discovery.WeightAdvice{Value: times(n, spec.File.Weight)}}, nil
		case n != 0:
			return Note{}, fmt.Errorf("the file holds %d", n)
		}
		return Note{}, nil
	}, nil
}

// times multiplies without leaving the range that a weight can have.
func times(n, weight int) int {
	const most = 1 << 20
	return min(max(n, -most), most) * weight
}
