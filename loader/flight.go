package loader

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// flights holds the load of each key that is under way in this process. A load that
// failed stays for the time of the backoff.
type flights[T any] struct {
	mu     sync.Mutex
	byKey  map[string]*flight[T]
	ending map[string][]*flight[T] // those that were superseded and have not landed
	closed bool

	// A caller whose read came before the end of a load of its key must not load again.
	// landed counts the loads that have ended by a hash of the key, and total all of
	// them, before landed.
	seed   maphash.Seed
	landed [256]atomic.Uint32
	total  atomic.Uint32
}

// flight is the load of one key.
type flight[T any] struct {
	key      string
	batch    *batch[T]
	replaces bool // it was started because of an entry

	// What the goroutine of the load replaces; only that goroutine uses it.
	old read[T]

	// Guarded by flights.mu.
	waiting int
	behind  bool // it continues in the background if no caller waits
	ended   bool // its value is not stored, and no caller joins it
	dropped bool // the batch does not continue for it
	late    *time.Timer

	loaded chan struct{} // closed when outcome is set
	once   sync.Once
	outcome[T]
	savePanic any           // set before done is closed
	taken     atomic.Bool   // a caller has got the value; others get copies
	done      chan struct{} // closed when the value is stored

	storing chan struct{} // a lock, held while the value is stored; a context can end the wait for it
}

// outcome is the result of a load.
type outcome[T any] struct {
	e        *entry[T]
	err      error
	panicked any
}

// batch is one goroutine that loads the keys of its flights.
type batch[T any] struct {
	*run
	flights []*flight[T]
	ctx     context.Context
	cancel  context.CancelCauseFunc
	wanted  int  // flights that somebody waits for or that go on behind; guarded by flights.mu
	forced  bool // by Refresh: what others have stored or load does not matter
	limits  limits
}

// counter returns the number of loads of key that have ended, and of other keys.
func (fs *flights[T]) counter(key string) *atomic.Uint32 {
	return &fs.landed[maphash.String(fs.seed, key)%uint64(len(fs.landed))]
}

// landedBefore returns the value of counter at the time when total was before. If that is
// unknown, it returns another number.
func (fs *flights[T]) landedBefore(key string, before uint32) uint32 {
	landed := fs.counter(key).Load()
	if fs.total.Load() != before {
		landed--
	}
	return landed
}

// join returns the flight of r.key. If it is new, the caller must start it in b. The
// caller holds mu.
func (fs *flights[T]) join(r *read[T], behind bool, b *batch[T]) (f *flight[T], isNew bool) {
	f = fs.byKey[r.key]
	if f != nil {
		isRemoved := f.replaces && r.e == nil && r.fault == nil && !isClosed(f.done)
		if isRemoved || b.forced && !f.batch.forced { // f may have begun before the change
			fs.supersede(f)
			f.ended = true
			f = nil
		}
	}
	if f == nil {
		isNew = true
		old := *r
		old.key = strings.Clone(r.key) // the load may outlive the call, and the caller may write to the memory of its key
		f = &flight[T]{
			key: old.key, batch: b, old: old, replaces: r.e != nil,
			loaded: make(chan struct{}), done: make(chan struct{}), storing: make(chan struct{}, 1),
		}
		fs.byKey[f.key] = f
		b.flights = append(b.flights, f)
		b.wanted++
	}
	if behind {
		f.behind = true
	} else {
		f.waiting++
	}
	r.tooLate = !isNew && isClosed(f.done)
	return f, isNew
}

// leave ends the wait of one caller. If no caller is left, the load is cancelled, unless it
// continues in the background.
func (fs *flights[T]) leave(f *flight[T], behind bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.waiting--
	f.behind = f.behind || behind
	if f.waiting > 0 || f.behind || isClosed(f.loaded) {
		return
	}
	f.ended = true
	if fs.byKey[f.key] == f {
		delete(fs.byKey, f.key)
	}
	f.drop()
}

// drop removes f from the flights for which its batch continues. The caller holds mu.
func (f *flight[T]) drop() {
	if f.dropped {
		return
	}
	f.dropped = true
	if f.batch.wanted--; f.batch.wanted == 0 {
		f.batch.cancel(context.Canceled)
	}
}

// supersede makes later callers start a load of their own. The caller holds mu.
func (fs *flights[T]) supersede(f *flight[T]) {
	delete(fs.byKey, f.key)
	if f.late != nil {
		f.late.Stop()
	}
	if !isClosed(f.done) {
		fs.ending[f.key] = append(fs.ending[f.key], f)
	}
	if f.waiting == 0 {
		f.drop()
	}
}

// end ends the flights of keys before a change of their entries: their values are not
// stored, and later callers start a load of their own. If a value is being stored, end
// waits until it is stored, so that the change comes later.
func (fs *flights[T]) end(ctx context.Context, keys ...string) error {
	return fs.endIf(ctx, keys, func(*flight[T]) bool { return true })
}

// endForRefresh is end before a Refresh. It does not end the loads of other Refreshes: their
// callers may return before this one has stored its value, and must not find an older one.
func (fs *flights[T]) endForRefresh(ctx context.Context, key string) error {
	return fs.endIf(ctx, []string{key}, func(f *flight[T]) bool { return !f.batch.forced })
}

func (fs *flights[T]) endIf(ctx context.Context, keys []string, isEnded func(*flight[T]) bool) error {
	fs.mu.Lock()
	var ended []*flight[T]
	for _, key := range keys {
		if f := fs.byKey[key]; f != nil {
			fs.supersede(f)
		}
		for _, f := range fs.ending[key] {
			f.ended = f.ended || isEnded(f)
			ended = append(ended, f)
		}
	}
	fs.mu.Unlock()
	for _, f := range ended {
		select {
		case f.storing <- struct{}{}:
			<-f.storing
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (fs *flights[T]) isEnded(f *flight[T]) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return f.ended
}

// isSuperseded reports whether later callers start a load of their own. f has not landed.
func (fs *flights[T]) isSuperseded(f *flight[T]) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.byKey[f.key] != f
}

func (fs *flights[T]) isDropped(f *flight[T]) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return f.dropped
}

// wanted returns the flights that are not dropped.
func (fs *flights[T]) wanted(flights []*flight[T]) []*flight[T] {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(flights), func(f *flight[T]) bool { return f.dropped })
}

// set sets the outcome of f, wakes its callers, and reports whether the outcome is the
// first.
func (f *flight[T]) set(o outcome[T]) (first bool) {
	f.once.Do(func() {
		f.outcome = o
		first = true
		close(f.loaded)
	})
	return first
}

// land ends f. A failure is remembered for the time of backoff.
func (fs *flights[T]) land(f *flight[T], backoff time.Duration) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if isClosed(f.done) {
		return
	}
	fs.total.Add(1)
	fs.counter(f.key).Add(1)
	close(f.done)
	f.drop()
	if ending := fs.ending[f.key]; len(ending) > 0 {
		ending = slices.DeleteFunc(ending, func(other *flight[T]) bool { return other == f })
		if fs.ending[f.key] = ending; len(ending) == 0 {
			delete(fs.ending, f.key)
		}
	}
	switch {
	case fs.byKey[f.key] != f:
	case backoff > 0 && !fs.closed:
		f.late = time.AfterFunc(backoff, func() { fs.forget(f) })
	default:
		delete(fs.byKey, f.key)
	}
}

// landPanicked ends f after the store or its observer has panicked.
func (fs *flights[T]) landPanicked(f *flight[T], p any) {
	fs.mu.Lock()
	if !isClosed(f.done) {
		f.savePanic = p
	}
	fs.mu.Unlock()
	fs.land(f, 0)
}

func (fs *flights[T]) forget(f *flight[T]) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.byKey[f.key] == f {
		delete(fs.byKey, f.key)
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// close rejects further flights and removes the remembered failures.
func (fs *flights[T]) close() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.closed = true
	for key, f := range fs.byKey {
		if f.late != nil {
			f.late.Stop()
			delete(fs.byKey, key)
		}
	}
}

// read is an entry as a caller has found it.
type read[T any] struct {
	key     string
	e       *entry[T] // nil if it is absent
	dead    bool      // a tag of e was invalidated
	fault   error     // of the store
	landed  uint32    // flights.counter before the read
	shares  bool      // the caller waits for a load that another caller has started
	tooLate bool      // the load that it joined had failed before, and its backoff has not ended
}

func (r *read[T]) phase() phase {
	if r.e == nil || r.dead {
		return absent
	}
	return r.e.phase()
}

// isNewer reports whether r can be served instead of a load that was started because
// of before.
func (r *read[T]) isNewer(before *read[T]) bool {
	return r.phase() == fresh && (before.e == nil || before.e.nonce != r.e.nonce)
}
