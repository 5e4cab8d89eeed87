package cache_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// fake is a backend of the six methods that fails on demand and counts calls.
type fake struct {
	mu     sync.Mutex
	data   map[string][]byte
	ttls   map[string]time.Duration
	calls  int
	closed bool
	fail   func(key string) error // nil where nothing fails
}

func newFake() *fake {
	return &fake{data: make(map[string][]byte), ttls: make(map[string]time.Duration)}
}

// enter locks, counts the call and returns its error, if it has to fail.
func (f *fake) enter(key string) error {
	f.mu.Lock()
	f.calls++
	switch {
	case f.closed:
		return cache.ErrClosed
	case f.fail != nil:
		return f.fail(key)
	}
	return nil
}

func (f *fake) Get(_ context.Context, key string) ([]byte, bool, error) {
	defer f.mu.Unlock()
	if err := f.enter(key); err != nil {
		return nil, false, err
	}
	value, ok := f.data[key]
	return value, ok, nil
}

func (f *fake) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	defer f.mu.Unlock()
	if err := f.enter(key); err != nil {
		return err
	}
	f.data[key], f.ttls[key] = value, ttl
	return nil
}

func (f *fake) Add(_ context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	defer f.mu.Unlock()
	if err := f.enter(key); err != nil {
		return false, err
	}
	if _, there := f.data[key]; there {
		return false, nil
	}
	f.data[key], f.ttls[key] = value, ttl
	return true, nil
}

func (f *fake) Delete(_ context.Context, key string) (bool, error) {
	defer f.mu.Unlock()
	if err := f.enter(key); err != nil {
		return false, err
	}
	_, there := f.data[key]
	delete(f.data, key)
	return there, nil
}

func (f *fake) Clear(context.Context) error {
	defer f.mu.Unlock()
	if err := f.enter(""); err != nil {
		return err
	}
	clear(f.data)
	return nil
}

func (f *fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

// rich is a fake with every optional interface.
type rich struct {
	*fake
	values      map[string]any
	unsupported error // if not nil, the optional methods return it
}

func newRich() *rich { return &rich{fake: newFake(), values: make(map[string]any)} }

func (r *rich) Has(ctx context.Context, key string) (bool, error) {
	if r.unsupported != nil {
		return false, r.unsupported
	}
	_, ok, err := r.Get(ctx, key)
	return ok, err
}

func (r *rich) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	if r.unsupported != nil {
		return nil, r.unsupported
	}
	values := make([][]byte, len(keys))
	var failed cache.BatchError
	for i, key := range keys {
		value, ok, err := r.Get(ctx, key)
		if err != nil {
			failed.Fail(key, err)
		} else if ok {
			values[i] = value
		}
	}
	return values, failed.ErrorOrNil()
}

func (r *rich) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	if r.unsupported != nil {
		return r.unsupported
	}
	var failed cache.BatchError
	for _, item := range items {
		if err := r.Set(ctx, item.Key, item.Value, ttl); err != nil {
			failed.Fail(item.Key, err)
		}
	}
	return failed.ErrorOrNil()
}

func (r *rich) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	if r.unsupported != nil {
		return nil, r.unsupported
	}
	deleted := make([]bool, len(keys))
	var failed cache.BatchError
	for i, key := range keys {
		var err error
		if deleted[i], err = r.Delete(ctx, key); err != nil {
			failed.Fail(key, err)
		}
	}
	return deleted, failed.ErrorOrNil()
}

func (r *rich) Inc(_ context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	defer r.mu.Unlock()
	if err := r.enter(key); err != nil {
		return 0, err
	}
	old, there := r.data[key]
	if !there {
		r.ttls[key] = ttl
		old = []byte("0")
	}
	n, err := strconv.ParseInt(string(old), 10, 64)
	if err != nil {
		return 0, cache.ErrNotInteger
	}
	r.data[key] = strconv.AppendInt(nil, n+delta, 10)
	return n + delta, nil
}

func (r *rich) ClearPrefix(_ context.Context, prefix string) error {
	defer r.mu.Unlock()
	if err := r.enter(prefix); err != nil {
		return err
	}
	for key := range r.data {
		if strings.HasPrefix(key, prefix) {
			delete(r.data, key)
		}
	}
	return nil
}

func (r *rich) TTL(_ context.Context, key string) (time.Duration, bool, error) {
	defer r.mu.Unlock()
	if err := r.enter(key); err != nil {
		return 0, false, err
	}
	_, there := r.data[key]
	return r.ttls[key], there, nil
}

func (r *rich) Ping(context.Context) error {
	defer r.mu.Unlock()
	return r.enter("")
}

func (r *rich) GetValue(_ context.Context, key string) (any, bool, error) {
	defer r.mu.Unlock()
	if err := r.enter(key); err != nil {
		return nil, false, err
	}
	value, ok := r.values[key]
	return value, ok, nil
}

func (r *rich) SetValue(_ context.Context, key string, value any, ttl time.Duration) error {
	defer r.mu.Unlock()
	if err := r.enter(key); err != nil {
		return err
	}
	r.values[key], r.ttls[key] = value, ttl
	return nil
}

func (r *rich) AddValue(_ context.Context, key string, value any, ttl time.Duration) (bool, error) {
	defer r.mu.Unlock()
	if err := r.enter(key); err != nil {
		return false, err
	}
	if _, there := r.values[key]; there {
		return false, nil
	}
	r.values[key], r.ttls[key] = value, ttl
	return true, nil
}

var (
	_ driver.Haser         = (*rich)(nil)
	_ driver.ManyGetter    = (*rich)(nil)
	_ driver.ManySetter    = (*rich)(nil)
	_ driver.ManyDeleter   = (*rich)(nil)
	_ driver.Counter       = (*rich)(nil)
	_ driver.PrefixClearer = (*rich)(nil)
	_ driver.TTLer         = (*rich)(nil)
	_ driver.Pinger        = (*rich)(nil)
	_ driver.ValueKeeper   = (*rich)(nil)
)

// must fails the test if err is not nil.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
