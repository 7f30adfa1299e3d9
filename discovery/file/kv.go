package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// KV is a JSON file of keys and values:
//
//	{"weight/web/web-1": "0", "priority/VI_1/lvs2": "150"}
//
// A file that is not there has no keys. Its methods may be called from any
// goroutine, and Put and Delete from any process: they hold a lock on a file
// beside it (ending .lock) and replace the file whole.
type KV struct {
	path   string
	log    *slog.Logger
	mu     sync.Mutex
	wrote  chan struct{}
	latest atomic.Pointer[map[string]string] // written by us, and not taken by Run yet
}

// NewKV makes a KV of a file that is read by Run. log may be nil.
func NewKV(path string, log *slog.Logger) *KV {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &KV{path: path, log: log, wrote: make(chan struct{}, 1)}
}

// Run follows the file until ctx ends and then returns nil. emit is called by
// one goroutine and may block until ctx ends. A file that is wrong is an error
// answer with line and column; the index counts the answers, and a pair's is
// that of the answer with which it came.
func (k *KV) Run(ctx context.Context, emit func(discovery.KVAnswer)) error {
	var (
		last  discovery.KVAnswer
		begun bool
		index uint64
		pairs map[string]discovery.Pair // of the last good answer
	)
	watchFolder(ctx, filepath.Dir(k.path), pollAll, k.wrote, k.log, func() {
		values, err := k.look(begun)
		a := discovery.KVAnswer{At: time.Now()}
		if err != nil {
			a.Err = err.Error()
			if begun && last.Err == a.Err {
				return
			}
			k.log.Warn("key file cannot be read, what it said before stands", "error", err)
		} else {
			now := make(map[string]discovery.Pair, len(values))
			for key, v := range values {
				p, ok := pairs[key]
				if !ok || p.Value != v {
					p = discovery.Pair{Value: v, Index: index + 1}
				}
				now[key] = p
			}
			if begun && last.Err == "" && maps.Equal(now, pairs) {
				return
			}
			index++
			pairs = now
			a.Pairs, a.Index = maps.Clone(now), index
		}
		last, begun = a, true
		emit(a)
	})
	return nil
}

// look gives the keys of the file. What this process has just written need not be
// read, but at first: should somebody else have written since, then the folder's watch,
// or the next poll, brings it.
func (k *KV) look(begun bool) (map[string]string, error) {
	if values := k.latest.Swap(nil); values != nil && begun {
		return *values, nil
	}
	return k.read()
}

// read gives the keys of the file.
func (k *KV) read() (map[string]string, error) {
	data, err := os.ReadFile(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	root, err := parseJSON(filepath.Base(k.path), data)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	values := make(map[string]string, len(root.members))
	for _, m := range root.members {
		switch m.val.kind {
		case text, number: // an unquoted weight is clear enough
			values[m.key] = m.val.text
		default:
			return nil, fmt.Errorf("read key file: %w", m.val.at.errorf("%s: expected a string, found %s", m.key, m.val.kind))
		}
	}
	return values, nil
}

// Put sets key to value and gives the value from before; had says whether there
// was one. A file that is wrong is left as it is, and the error says where.
func (k *KV) Put(ctx context.Context, key, value string) (before string, had bool, err error) {
	before, had, err = k.change(ctx, func(values map[string]string) { values[strings.TrimPrefix(key, "/")] = value }, key)
	if err != nil {
		err = fmt.Errorf("put key %q: %w", key, err)
	}
	return before, had, err
}

// Delete removes key and gives the value from before. A key that is not there
// is no error.
func (k *KV) Delete(ctx context.Context, key string) (before string, had bool, err error) {
	before, had, err = k.change(ctx, func(values map[string]string) { delete(values, strings.TrimPrefix(key, "/")) }, key)
	if err != nil {
		err = fmt.Errorf("delete key %q: %w", key, err)
	}
	return before, had, err
}

func (k *KV) change(ctx context.Context, edit func(map[string]string), key string) (before string, had bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	unlock, err := lock(ctx, k.path+".lock")
	if err != nil {
		return "", false, err
	}
	defer unlock()
	values, err := k.read()
	if err != nil {
		return "", false, err
	}
	before, had = values[strings.TrimPrefix(key, "/")]
	old := maps.Clone(values)
	edit(values)
	if maps.Equal(old, values) {
		return before, had, nil
	}
	data, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return "", false, fmt.Errorf("encode keys: %w", err)
	}
	if err := renameio.WriteFile(k.path, append(data, '\n'), 0o640, renameio.WithTempDir(filepath.Dir(k.path))); err != nil {
		return "", false, fmt.Errorf("write key file: %w", err)
	}
	k.latest.Store(&values)
	select {
	case k.wrote <- struct{}{}:
	default:
	}
	return before, had, nil
}

// lock takes an exclusive lock on a file, which the kernel gives back when the
// process ends however it ends.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		t := time.NewTimer(10 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, ctx.Err())
		}
	}
}
