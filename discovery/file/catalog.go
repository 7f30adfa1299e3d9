package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// Catalog is a folder of service definitions. Its methods may be called from
// any goroutine.
type Catalog struct {
	folder string
	log    *slog.Logger
	poll   time.Duration

	mu      sync.Mutex
	want    []discovery.Query
	changed chan struct{}
}

// NewCatalog makes a catalog of a folder that is read by Run. log may be nil.
func NewCatalog(folder string, log *slog.Logger) *Catalog {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Catalog{folder: folder, log: log, poll: pollAll, changed: make(chan struct{}, 1)}
}

// Set says what to answer from now on. Queries of other catalogs are left out.
func (c *Catalog) Set(queries []discovery.Query) {
	var want []discovery.Query
	for _, q := range queries {
		if q.Source == discovery.File && !slices.Contains(want, q) {
			want = append(want, q)
		}
	}
	c.mu.Lock()
	c.want = want
	c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// Run answers until ctx ends and then returns nil. emit is called by one
// goroutine and may block until ctx ends.
func (c *Catalog) Run(ctx context.Context, emit func(discovery.Answer)) error {
	r := &run{folder: c.folder, log: c.log, files: make(map[string]*known), sent: make(map[discovery.Query]discovery.Answer)}
	watchFolder(ctx, c.folder, c.poll, c.changed, c.log, func() {
		c.mu.Lock()
		want := c.want
		c.mu.Unlock()
		r.scan()
		r.answer(ctx, want, emit)
	})
	return nil
}

// Validate reads the folder once and gives every mistake of every file.
func Validate(folder string) error {
	names, err := definitions(folder)
	if err != nil {
		return err
	}
	var all []error
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err == nil {
			_, err = parse(name, data)
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

// definitions gives the names of the files to read, in order.
func definitions(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read catalog folder: %w", err)
	}
	var names []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".hcl" || ext == ".json") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// run is the state of one Run.
type run struct {
	folder string
	log    *slog.Logger
	files  map[string]*known
	folded error // the folder cannot be read
	begun  bool  // the folder has been read once
	index  uint64
	sent   map[discovery.Query]discovery.Answer
}

// known is what one file says.
type known struct {
	stamp stamp
	defs  []definition // of the last time it was right
	good  bool         // it has been right
	first bool         // it was there at the first look
	err   error        // it is wrong now
}

// stamp is what a file looked like when it was read last.
type stamp struct {
	mod  time.Time
	size int64
	read time.Time
}

// same says that the file need not be read again. Two writes within one tick of
// a file system's clock leave the same time, so a fresh one proves nothing.
func (s stamp) same(info fs.FileInfo) bool {
	return s.size == info.Size() && s.mod.Equal(info.ModTime()) && s.read.Sub(s.mod) > 2*time.Second
}

// scan reads what has changed.
func (r *run) scan() {
	names, err := definitions(r.folder)
	if err != nil {
		if r.folded == nil {
			r.log.Warn("catalog folder cannot be read", "error", err)
		}
		r.folded = err
		return
	}
	r.folded = nil
	for name := range r.files {
		if !slices.Contains(names, name) {
			delete(r.files, name)
		}
	}
	for _, name := range names {
		r.read(name)
	}
	r.begun = true
}

func (r *run) read(name string) {
	k := r.files[name]
	if k == nil {
		k = &known{first: !r.begun}
		r.files[name] = k
	}
	path := filepath.Join(r.folder, name)
	info, err := os.Stat(path)
	if err == nil && k.stamp.same(info) {
		return
	}
	var data []byte
	if err == nil {
		k.stamp = stamp{info.ModTime(), info.Size(), time.Now()}
		data, err = os.ReadFile(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		delete(r.files, name) // gone since the folder was listed
		return
	}
	var defs []definition
	if err == nil {
		defs, err = parse(name, data)
	} else {
		k.stamp = stamp{}
	}
	if err != nil {
		if k.err == nil || k.err.Error() != err.Error() {
			r.log.Warn("catalog file is wrong, what it said before stands", "error", err)
		}
		k.err = err
		return
	}
	k.defs, k.good, k.err = defs, true, nil
}

// answer emits what has changed for each query.
func (r *run) answer(ctx context.Context, want []discovery.Query, emit func(discovery.Answer)) {
	for q := range r.sent {
		if !slices.Contains(want, q) {
			delete(r.sent, q)
		}
	}
	for _, q := range want {
		a := r.make(q)
		last, had := r.sent[q]
		if had && last.Err == a.Err && slices.Equal(last.Warnings, a.Warnings) && reflect.DeepEqual(last.Instances, a.Instances) {
			continue
		}
		r.index++
		a.Index, a.At = r.index, time.Now()
		r.sent[q] = a
		emit(a)
		if ctx.Err() != nil {
			return
		}
	}
}

func (r *run) make(q discovery.Query) discovery.Answer {
	a := discovery.Answer{Query: q}
	if q != (discovery.Query{Source: discovery.File, Service: q.Service}) {
		a.Err = "the file catalog knows nothing but the service's name: no datacenter, namespace, partition, peer, filter or near"
		return a
	}
	if r.folded != nil {
		a.Err = r.folded.Error()
		return a
	}
	type key struct{ node, id string }
	seen := make(map[key]pos)
	for _, name := range sortedNames(r.files) {
		k := r.files[name]
		if k.err != nil {
			a.Warnings = append(a.Warnings, strings.Split(k.err.Error(), "\n")...)
			if !k.good && k.first && a.Err == "" {
				a.Err = a.Warnings[len(a.Warnings)-1]
			}
		}
		for _, d := range k.defs {
			at := key{d.Node, d.ID}
			if first, ok := seen[at]; ok {
				a.Warnings = append(a.Warnings, fmt.Sprintf("%s: service id %q of node %q stands in %s already", d.at, d.ID, d.Node, first))
				continue
			}
			seen[at] = d.at
			if d.Service == q.Service {
				a.Instances = append(a.Instances, d.Instance)
			}
		}
	}
	if a.Err != "" {
		a.Instances = nil
	}
	slices.SortFunc(a.Instances, func(x, y discovery.Instance) int {
		return cmp.Or(strings.Compare(x.Node, y.Node), strings.Compare(x.ID, y.ID))
	})
	return a
}

func sortedNames(files map[string]*known) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
