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
	known  uint64
}

// NewKV makes a source for the keys below prefix; "edgekeeper" and
// "edgekeeper/" mean the same. known is the Store index of what the caller knows
// of an earlier source, 0 for nothing: an older answer is believed only when the
// leader gives it.
func NewKV(cfg Config, prefix string, known uint64) *KV {
	return &KV{cfg: cfg.withDefaults(), prefix: folder(prefix), known: known}
}

// keys is an answer.
type keys struct {
	pairs map[string]discovery.Pair
	store uint64 // see discovery.KVAnswer
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
	w := &watch[keys]{
		cfg:     k.cfg,
		newest:  k.known,
		reached: func(v keys) uint64 { return v.store },
		equal:   func(a, b keys) bool { return maps.Equal(a.pairs, b.pairs) && b.store >= a.store },
		emit: func(v keys, index uint64) {
			log.Debug("keys read from consul", "keys", len(v.pairs), "index", index)
			emit(discovery.KVAnswer{Pairs: v.pairs, Index: index, Store: v.store, At: time.Now()})
		},
		fail: func(err error) {
			log.Warn("keys cannot be read from consul", "error", errText(err))
			emit(discovery.KVAnswer{Err: errText(err), At: time.Now()})
		},
	}
	w.read = func(ctx context.Context, opts *api.QueryOptions) (keys, *api.QueryMeta, error) {
		v, meta, err := k.read(ctx, opts)
		if err == nil && !opts.AllowStale && meta.LastIndex < w.newest {
			v.store, err = k.store(opts)
		}
		return v, meta, err
	}
	w.run(ctx)
	return nil
}

// store asks for the index of all keys, which is that of an answer about a key
// that does not exist. The index of those below a prefix falls when the last one
// that was written is deleted and Consul has forgotten that (kvsListTxn); until one
// is written again, each answer takes this question, too.
func (k *KV) store(opts *api.QueryOptions) (uint64, error) {
	const nobody = ".index"
	p, meta, err := k.cfg.Client.KV().Get(k.prefix+nobody, opts)
	switch {
	case err != nil:
		return 0, fmt.Errorf("read the index of all keys: %w", err)
	case p != nil:
		return 0, nil // somebody has written it
	}
	return meta.LastIndex, believable(meta)
}

func (k *KV) read(ctx context.Context, opts *api.QueryOptions) (keys, *api.QueryMeta, error) {
	list, meta, err := k.cfg.Client.KV().List(k.prefix, opts)
	if err != nil {
		return keys{}, nil, fmt.Errorf("read keys below %q: %w", k.prefix, err)
	}
	if list != nil && len(list) == 0 {
		if err := believable(meta); err != nil {
			return keys{}, nil, err
		}
		return keys{}, nil, fmt.Errorf("read keys below %q: %w: an empty list, where Consul says 404", k.prefix, ErrMalformed)
	}
	if len(list) == 0 {
		if err := anonymous(ctx, k.cfg.Client, meta); err != nil {
			return keys{}, nil, err
		}
	}
	pairs := make(map[string]discovery.Pair, len(list))
	for _, p := range list {
		if p == nil {
			return keys{}, nil, fmt.Errorf("read keys below %q: %w: null entry", k.prefix, ErrMalformed)
		}
		key, ok := strings.CutPrefix(p.Key, k.prefix)
		if !ok {
			return keys{}, nil, fmt.Errorf("read keys below %q: %w: key %q", k.prefix, ErrMalformed, p.Key)
		}
		if key == "" || strings.HasSuffix(key, "/") {
			continue // a folder as the web interface makes them
		}
		pairs[key] = discovery.Pair{Value: string(p.Value), Index: p.ModifyIndex}
	}
	return keys{pairs, meta.LastIndex}, meta, nil
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
