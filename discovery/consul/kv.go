package consul

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// KV follows every key below a prefix with one recursive blocking query.
type KV struct {
	cfg    Config
	prefix string
}

// NewKV makes a source for the keys below prefix; "edgekeeper" and
// "edgekeeper/" mean the same.
func NewKV(cfg Config, prefix string) *KV {
	return &KV{cfg: cfg.withDefaults(), prefix: folder(prefix)}
}

// folder gives the prefix with one slash at its end and none in front, and
// nothing for the root.
func folder(prefix string) string {
	prefix = strings.Trim(prefix, "/")
	if prefix == "" {
		return ""
	}
	return prefix + "/"
}

// Run asks until ctx ends and then returns nil. emit is called by one goroutine
// at a time and may block until ctx ends. No keys are an answer with an empty map.
func (k *KV) Run(ctx context.Context, emit func(discovery.KVAnswer)) error {
	log := k.cfg.Log.With("prefix", k.prefix)
	w := &watch[map[string]discovery.Pair]{
		cfg:   k.cfg,
		read:  k.read,
		equal: maps.Equal[map[string]discovery.Pair, map[string]discovery.Pair],
		emit: func(pairs map[string]discovery.Pair, index uint64) {
			log.Debug("keys read from consul", "keys", len(pairs), "index", index)
			emit(discovery.KVAnswer{Pairs: pairs, Index: index, At: time.Now()})
		},
		fail: func(err error) {
			log.Warn("keys cannot be read from consul", "error", errText(err))
			emit(discovery.KVAnswer{Err: errText(err), At: time.Now()})
		},
	}
	w.run(ctx)
	return nil
}

func (k *KV) read(ctx context.Context, opts *api.QueryOptions) (map[string]discovery.Pair, *api.QueryMeta, error) {
	list, meta, err := k.cfg.Client.KV().List(k.prefix, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("read keys below %q: %w", k.prefix, err)
	}
	if len(list) == 0 {
		if err := anonymous(ctx, k.cfg.Client, meta); err != nil {
			return nil, nil, err
		}
	}
	pairs := make(map[string]discovery.Pair, len(list))
	for _, p := range list {
		if p == nil {
			return nil, nil, fmt.Errorf("read keys below %q: %w: null entry", k.prefix, ErrMalformed)
		}
		key, ok := strings.CutPrefix(p.Key, k.prefix)
		if !ok {
			return nil, nil, fmt.Errorf("read keys below %q: %w: key %q", k.prefix, ErrMalformed, p.Key)
		}
		if key == "" || strings.HasSuffix(key, "/") {
			continue // a folder as the web interface makes them
		}
		pairs[key] = discovery.Pair{Value: string(p.Value), Index: p.ModifyIndex}
	}
	return pairs, meta, nil
}

// ErrConflict means that somebody else changed the key between the read and
// the write, over and over.
var ErrConflict = errors.New("key was changed by another at the same time")

// Writer writes keys below a prefix for the commands.
type Writer struct {
	client *api.Client
	prefix string
}

// NewWriter makes a writer for the keys below prefix.
func NewWriter(client *api.Client, prefix string) *Writer {
	return &Writer{client: client, prefix: folder(prefix)}
}

// Put sets key to value by check-and-set and gives the value from before (had
// says whether there was one), so that a command can tell what it replaced and
// never replaces what it has not seen. A write that loses the race three times
// fails with [ErrConflict].
func (w *Writer) Put(ctx context.Context, key, value string) (before string, had bool, err error) {
	return w.change(ctx, "put", key, func(p *api.KVPair, opts *api.WriteOptions) (bool, error) {
		p.Value = []byte(value)
		ok, _, err := w.client.KV().CAS(p, opts)
		return ok, err
	})
}

// Delete removes key by check-and-set and gives the value from before. A key
// that is not there is no error.
func (w *Writer) Delete(ctx context.Context, key string) (before string, had bool, err error) {
	return w.change(ctx, "delete", key, func(p *api.KVPair, opts *api.WriteOptions) (bool, error) {
		if p.ModifyIndex == 0 {
			return true, nil
		}
		ok, _, err := w.client.KV().DeleteCAS(p, opts)
		return ok, err
	})
}

func (w *Writer) change(ctx context.Context, verb, key string, cas func(*api.KVPair, *api.WriteOptions) (bool, error)) (string, bool, error) {
	full := w.prefix + strings.TrimPrefix(key, "/")
	for range 3 {
		old, _, err := w.client.KV().Get(full, (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
		if err != nil {
			return "", false, fmt.Errorf("%s key %q: read it first: %w", verb, full, err)
		}
		next := &api.KVPair{Key: full}
		var before string
		if old != nil {
			before, next.ModifyIndex, next.Flags = string(old.Value), old.ModifyIndex, old.Flags
		}
		ok, err := cas(next, (&api.WriteOptions{}).WithContext(ctx))
		if err != nil {
			return "", false, fmt.Errorf("%s key %q: %w", verb, full, err)
		}
		if ok {
			return before, old != nil, nil
		}
	}
	return "", false, fmt.Errorf("%s key %q: %w", verb, full, ErrConflict)
}
