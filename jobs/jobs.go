// Package jobs holds the Nomad jobs of edgekeeper, as files and embedded in the
// program, and submits them: plan, run, status, stop.
//
// What is submitted is what `nomad job run` would submit of the same file with
// the same variables: the file is parsed by Nomad itself, through its API.
package jobs

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed director.nomad.hcl realserver.nomad.hcl web.nomad.hcl
var embedded embed.FS

const suffix = ".nomad.hcl"

// Names are the jobs that come with the program, in the order in which a site
// is built.
func Names() []string { return []string{"web", "realserver", "director"} }

// File is a job file.
type File struct {
	// Name is its path, or the file name of one that comes with the program.
	Name string
	// Text is HCL.
	Text string
}

// ErrNoJob is a name that is neither one of Names nor a file.
var ErrNoJob = errors.New("no such job")

// Open returns one of Names, or the file at a path.
func Open(name string) (File, error) {
	if !strings.ContainsRune(name, filepath.Separator) && !strings.HasSuffix(name, ".hcl") {
		text, err := embedded.ReadFile(name + suffix)
		if err != nil {
			return File{}, fmt.Errorf("%w: %q is none of %s, and no path of a file that ends in .hcl", ErrNoJob, name, strings.Join(Names(), ", "))
		}
		return File{Name: name + suffix, Text: string(text)}, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return File{}, fmt.Errorf("read job: %w", err)
	}
	return File{Name: name, Text: string(text)}, nil
}
