package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// flights holds the loads under way, so that one key is loaded once at a time.
type flights struct {
	mu     sync.Mutex
	flying map[flightKey]*flight
}

// flightKey tells loads apart by key and, through a typed nil pointer, by type.
type flightKey struct {
	key string
	typ any
}

type flight struct {
	cancel   context.CancelFunc
	waiting  int           // callers; guarded by flights.mu
	done     chan struct{} // closed when the fields below are set
	value    any
	err      error
	panicked error
}

var errGoexit = errors.New("load ended its goroutine with runtime.Goexit")

// share runs load for the first caller of key and gives its outcome to all that
// come while it runs. A caller whose ctx ends leaves alone; when the last one
// has left, the context of load is cancelled.
func share[T any](ctx context.Context, fs *flights, key flightKey, load func(context.Context) (T, error)) (T, error) {
	fs.mu.Lock()
	f := fs.flying[key]
	if f == nil {
		f = &flight{done: make(chan struct{}), err: errGoexit}
		var loadCtx context.Context
		loadCtx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
		if fs.flying == nil {
			fs.flying = make(map[flightKey]*flight)
		}
		fs.flying[key] = f
		go func() {
			defer fs.land(key, f)
			value, err := load(loadCtx)
			f.value, f.err = value, err
		}()
	}
	f.waiting++
	fs.mu.Unlock()

	select {
	case <-f.done:
	case <-ctx.Done():
		fs.leave(key, f)
		var zero T
		return zero, ctx.Err()
	}
	if f.panicked != nil {
		panic(f.panicked)
	}
	value, _ := f.value.(T)
	return value, f.err
}

// land publishes the outcome; deferred, because load may panic or end the goroutine.
func (fs *flights) land(key flightKey, f *flight) {
	if p := recover(); p != nil {
		f.panicked = fmt.Errorf("cache: load panicked: %v\n\n%s", p, debug.Stack())
	}
	fs.mu.Lock()
	fs.forget(key, f)
	fs.mu.Unlock()
	f.cancel()
	close(f.done)
}

func (fs *flights) leave(key flightKey, f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.waiting--
	if f.waiting == 0 {
		// Who comes now starts a load of its own, not one that is being cancelled.
		fs.forget(key, f)
		f.cancel()
	}
}

func (fs *flights) forget(key flightKey, f *flight) {
	if fs.flying[key] == f {
		delete(fs.flying, key)
	}
}
