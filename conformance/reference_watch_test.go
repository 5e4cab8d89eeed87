package conformance_test

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// watcher is a call of Watch that runs.
type watcher struct {
	handle *reference
	prefix string
	keys   chan string
	lost   chan error // has room for one
}

// changed reports key to the watchers of its prefix.
func (r *reference) changed(key string) {
	for w := range r.watchers {
		if !strings.HasPrefix(key, w.prefix) {
			continue
		}
		select {
		case w.keys <- key:
		default:
			w.lose(errors.New("too many changes"))
		}
	}
}

// loseAll ends the watchers of the store, or those of one handle.
func (r *reference) loseAll(handle *reference, err error) {
	for w := range r.watchers {
		if handle == nil || w.handle == handle {
			w.lose(err)
		}
	}
}

func (w *watcher) lose(err error) {
	select {
	case w.lost <- err:
	default:
	}
}

func (r *reference) startWatch(prefix string) (*watcher, error) {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return nil, err
	}
	w := &watcher{r, prefix, make(chan string, r.queue), make(chan error, 1)}
	r.watchers[w] = struct{}{}
	return w, nil
}

func (r *reference) Watch(ctx context.Context, prefix string, _ time.Duration, notices driver.Notices) error {
	w, err := r.startWatch(prefix)
	if err != nil {
		return err
	}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watchers, w)
	}()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	notices.Ready()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-w.lost:
			return err
		case key := <-w.keys:
			notices.Changed(key)
		}
	}
}

func (r *reference) Stats(context.Context) (driver.Stats, error) {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return driver.UnknownStats, err
	}
	stats := driver.Stats{
		Entries:     int64(len(r.entries)),
		Evictions:   r.evictions - r.evictionsBefore,
		Expirations: r.expirations - r.expirationsBefore,
	}
	for key, e := range r.entries {
		stats.Bytes += int64(len(key) + len(e.value))
	}
	return stats, nil
}

func (r *reference) GetAppend(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	value, ok, err := r.Get(ctx, key)
	if !ok || err != nil {
		return dst, false, err
	}
	return append(dst, value...), true, nil
}

func (r *reference) GetWithTTL(_ context.Context, key string) ([]byte, time.Duration, bool, error) {
	defer r.mu.Unlock()
	if err := r.enterKey(key); err != nil {
		return nil, 0, false, err
	}
	e, ok := r.live(key)
	if !ok || e.expires.IsZero() {
		return e.value, 0, ok, nil
	}
	return e.value, time.Until(e.expires), true, nil
}

func (r *reference) GetManyWithTTL(_ context.Context, keys []string) ([][]byte, []time.Duration, error) {
	values, ttls := make([][]byte, len(keys)), make([]time.Duration, len(keys))
	defer r.mu.Unlock()
	if err := r.enterKeys(keys); err != nil {
		return values, ttls, err
	}
	for i, key := range keys {
		e, ok := r.live(key)
		if !ok {
			continue
		}
		values[i] = e.value
		if !e.expires.IsZero() {
			ttls[i] = time.Until(e.expires)
		}
	}
	return values, ttls, nil
}

var (
	_ driver.Appender       = (*reference)(nil)
	_ driver.LifeGetter     = (*reference)(nil)
	_ driver.ManyLifeGetter = (*reference)(nil)
	_ driver.Watcher        = (*reference)(nil)
	_ driver.Stater         = (*reference)(nil)
)

var errCleared = errors.New("all entries were removed")
