package cache

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// ErrRecursiveLoad means that a load asked for the key that it is loading, directly
// or through the loads of other keys. It would wait for itself. If loads of
// GetOrSet and loads of package loader that were started separately wait for each other,
// the cycle is not found: they wait until a context ends.
var ErrRecursiveLoad = errors.New("load waits for its own key")

// flights holds the loads under way, so that one key is loaded once at a time.
type flights struct {
	active atomic.Int32 // len(flying), for writes to read without mu
	mu     sync.Mutex
	flying map[string][]*flight // by key, until their goroutines end

	// A caller whose read missed before a load stored its value must not load again
	// after that load has ended. stored counts the values that loads have stored;
	// recent holds the last of them by a hash of the key.
	stored atomic.Uint64
	recent [256]struct{ hash, stored uint64 }
}

// flight is one load and the storing of its value.
type flight struct {
	fs     *flights
	key    string
	view   any     // the type of the view; see View.identity
	parent *flight // the load that asked for this one; nil if none
	cancel context.CancelFunc

	// Guarded by flights.mu.
	waiting int           // callers
	limits  limits        // for what the store does before load
	ended   bool          // by a write, or because all callers left: no caller joins it, and its value is not stored
	filling chan struct{} // closed after storing; nil before it begins

	loaded  chan struct{} // closed when outcome is set
	outcome outcome
	taken   atomic.Bool // a caller has taken the value; others get copies

	done      chan struct{} // closed when the flight has ended
	fillPanic any           // set before done is closed

	// The loads that this one waits for. Guarded by waits.
	waitsFor []*flight
}

// outcome is what a load returned.
type outcome struct {
	value    any
	err      error
	panicked any
	copy     func() (any, error) // a value that shares no memory with value; nil if sharing is safe
}

var errGoexit = errors.New("load ended its goroutine with runtime.Goexit")

// hashSeed makes the slots of flights.recent unpredictable.
var hashSeed = maphash.MakeSeed()

// join returns the load of key that is under way, or a new one, which the caller must
// run with the context start. before is the value of stored before the caller's read.
// If a load of key has stored its value since then, join returns nil, and the caller
// reads again. limit is that of the caller.
func (fs *flights) join(ctx context.Context, key string, view any, before uint64, limit limit) (f *flight, start context.Context) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.flying[key] {
		if f.view == view && !f.ended {
			f.waiting++
			f.limits.add(limit)
			return f, nil
		}
	}
	hash := maphash.String(hashSeed, key)
	if last := fs.recent[hash%uint64(len(fs.recent))]; last.hash == hash && last.stored > before {
		return nil, nil
	}
	key = strings.Clone(key) // the load may outlive the call, and the caller may write to the memory of its key
	f = &flight{fs: fs, key: key, view: view, parent: loadOf(ctx), waiting: 1, loaded: make(chan struct{}), done: make(chan struct{})}
	f.outcome.err = errGoexit
	f.limits.add(limit)
	start, f.cancel = context.WithCancel(context.WithValue(context.WithoutCancel(ctx), flightKey{}, f))
	if fs.flying == nil {
		fs.flying = make(map[string][]*flight)
	}
	fs.flying[key] = append(fs.flying[key], f)
	fs.active.Store(int32(len(fs.flying)))
	return f, start
}

// any reports whether a load is under way. Writes check it before they take mu.
func (fs *flights) any() bool { return fs.active.Load() != 0 }

// end ends the flights of key before a write: their values are not stored, and later
// callers start a new load. If a value is being stored, end waits for that, so that
// the write comes after it.
func (fs *flights) end(ctx context.Context, key string) error {
	fs.mu.Lock()
	fillings := markEnded(nil, fs.flying[key])
	fs.mu.Unlock()
	return waitForAll(ctx, fillings)
}

// endAll is end for every key.
func (fs *flights) endAll(ctx context.Context) error {
	fs.mu.Lock()
	var fillings []chan struct{}
	for _, flying := range fs.flying {
		fillings = markEnded(fillings, flying)
	}
	fs.mu.Unlock()
	return waitForAll(ctx, fillings)
}

// endMany is end for several keys.
func (fs *flights) endMany(ctx context.Context, keys []string) error {
	if !fs.any() {
		return nil
	}
	for _, key := range keys {
		if err := fs.end(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// markEnded ends flights and adds those that are being stored to fillings. The caller
// holds mu.
func markEnded(fillings []chan struct{}, flying []*flight) []chan struct{} {
	for _, f := range flying {
		f.ended = true
		if f.filling != nil {
			fillings = append(fillings, f.filling)
		}
	}
	return fillings
}

func waitForAll(ctx context.Context, fillings []chan struct{}) error {
	for _, filling := range fillings {
		select {
		case <-filling:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// fill calls store unless f has ended, and reports whether it did. Writes of the key
// wait for store, which must not call anything but the backend. store reports whether
// it stored the value.
func (fs *flights) fill(f *flight, store func() (stored bool)) (called bool) {
	fs.mu.Lock()
	if f.ended {
		fs.mu.Unlock()
		return false
	}
	f.filling = make(chan struct{})
	fs.mu.Unlock()
	defer close(f.filling)
	if store() {
		hash := maphash.String(hashSeed, f.key)
		fs.mu.Lock()
		last := &fs.recent[hash%uint64(len(fs.recent))]
		last.hash, last.stored = hash, fs.stored.Add(1)
		fs.mu.Unlock()
	}
	return true
}

// load publishes the outcome of f.
func (f *flight) load(o outcome) {
	f.outcome = o
	close(f.loaded)
}

// publish publishes the outcome of f, unless load has returned: it panicked with p, or
// ended its goroutine.
func (f *flight) publish(p any) {
	select {
	case <-f.loaded: // callers may be reading outcome
		if p != nil {
			f.fillPanic = p
		}
	default:
		if p != nil {
			f.outcome = outcome{panicked: keepStack(p)}
		}
		close(f.loaded)
	}
}

// land ends f. It is deferred, because load, the backend and the observer may panic
// or end the goroutine.
func (fs *flights) land(f *flight) {
	f.publish(recover())
	fs.mu.Lock()
	flying := slices.DeleteFunc(fs.flying[f.key], func(other *flight) bool { return other == f })
	if len(flying) == 0 {
		delete(fs.flying, f.key)
	} else {
		fs.flying[f.key] = flying
	}
	fs.active.Store(int32(len(fs.flying)))
	fs.mu.Unlock()
	f.cancel()
	close(f.done)
}

// leave ends the wait of one caller. After the last one the load is cancelled.
func (fs *flights) leave(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.waiting--
	if f.waiting == 0 {
		f.ended = true
		f.cancel()
	}
}

// hasEnded reports whether f has ended. The value of such a flight is not stored.
func (fs *flights) hasEnded(f *flight) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return f.ended
}

// isOver reports whether the goroutine of f has ended.
func (f *flight) isOver() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// flightKey is the context key under which a load finds its flight.
type flightKey struct{}

// loadOf returns the load that ctx belongs to, or nil.
func loadOf(ctx context.Context) *flight {
	f, _ := ctx.Value(flightKey{}).(*flight)
	return f
}

// waits guards flight.waitsFor of all caches, because a cycle may involve several
// caches.
var waits sync.Mutex

// isLoading reports whether f loads key, or is part of a load that does.
func (f *flight) isLoading(fs *flights, key string, view any) bool {
	for ; f != nil; f = f.parent {
		if f.fs == fs && f.key == key && f.view == view && !f.isOver() {
			return true
		}
	}
	return false
}

// await records that parent waits for f. It reports false, and records nothing, if f
// waits for parent.
func (parent *flight) await(f *flight) bool {
	waits.Lock()
	defer waits.Unlock()
	if f.reaches(parent) {
		return false
	}
	parent.waitsFor = append(parent.waitsFor, f)
	return true
}

func (parent *flight) stopWaiting(f *flight) {
	waits.Lock()
	defer waits.Unlock()
	if i := slices.Index(parent.waitsFor, f); i >= 0 {
		parent.waitsFor = slices.Delete(parent.waitsFor, i, i+1)
	}
}

// reaches reports whether f is target or waits for it, directly or through other
// flights. It terminates because await permits no cycles.
func (f *flight) reaches(target *flight) bool {
	return f == target || slices.ContainsFunc(f.waitsFor, func(next *flight) bool { return next.reaches(target) })
}

// keepStack returns the value with which the callers panic after load panicked with
// p. An error is returned unchanged, because callers may compare it, as net/http does
// with http.ErrAbortHandler. Other values and runtime errors get the stack of the
// load.
func keepStack(p any) any {
	err, ok := p.(error)
	if _, isRuntime := p.(runtime.Error); ok && !isRuntime {
		return err
	}
	return &loadPanic{p, debug.Stack()}
}

// loadPanic is a panic of load with its stack.
type loadPanic struct {
	value any
	stack []byte
}

func (p *loadPanic) Error() string {
	return fmt.Sprintf("cache: load panicked: %v\n\n%s", p.value, p.stack)
}

func (p *loadPanic) Unwrap() error {
	err, _ := p.value.(error)
	return err
}
