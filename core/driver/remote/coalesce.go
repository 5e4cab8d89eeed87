package remote

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxAlone is the default of [Group.MaxAlone]. Measured with Redis and memcached:
	// beyond it a shared round trip saves more than waiting for it costs, at any
	// network latency.
	maxAlone = 4

	// maxBatches is how many batches are under way at a time. Measured with Redis:
	// with one, batches are the largest, and a server with low latency answers 10 %
	// more requests. With two, neither a slow reply nor high latency delays every
	// caller.
	maxBatches = 2
)

// Group coalesces the requests of concurrent callers to one server. Up to MaxAlone calls
// at a time use a round trip of their own. Beyond that, requests share round trips: at
// most two batches are under way, and what arrives meanwhile goes out with the next
// one.
//
// R is the type of a request, usually a pointer to a struct in which Send and
// RoundTrip store the reply. Set the exported fields before the first call and do not
// change them afterwards. A Group is safe for concurrent use and must not be copied.
type Group[R any] struct {
	// RoundTrip performs one request in a round trip of its own.
	RoundTrip func(ctx context.Context, r R) error

	// NewBatch returns an empty batch. The Group reuses batches.
	NewBatch func() Batch[R]

	// BatchSize is the size, in the unit of [Batch].Add, from which a batch accepts no
	// further request. Zero means that there is no limit.
	BatchSize int

	// Detach replaces memory of the caller in r with copies. It is called before r
	// joins a batch, while the Group is not locked. It may be nil if Add copies what
	// it needs.
	Detach func(r R)

	// MaxAlone is the number of calls at a time up to which calls do not share round
	// trips. Zero means 4. If it is negative, every call shares a round trip, which
	// is useful in tests.
	MaxAlone int

	// MaxWait is how long a request waits for its batch to be sent. After that it
	// fails with [ErrWait], marked as [Unsent]. This bounds the wait of callers
	// without a deadline if the server does not reply. Zero means that there is no
	// limit.
	MaxWait time.Duration

	calls atomic.Int32 // in Do or DoAlone
	busy  atomic.Bool  // running > 0, to be read without mu

	mu      sync.Mutex
	waiting []*round[R] // the last one accepts requests
	spare   []Batch[R]  // empty, for reuse
	running int         // batches under way
}

// Batch gathers the requests of one shared round trip. Its methods are never called
// concurrently.
type Batch[R any] interface {
	// Add adds r and returns the size of the batch. The batch must not read memory of
	// r's caller after Add has returned: the caller may leave and reuse it. Add must
	// not block, because it is called while the Group is locked.
	Add(r R) (size int)

	// Remove removes the i-th request that was added, because its caller has left.
	// The other requests keep their numbers.
	Remove(i int)

	// Send performs the round trip. It stores the replies in the requests. The error
	// is that of the requests without a reply. The deadline of ctx is the latest of
	// the callers' deadlines; ctx has none if one of the callers has none, and it is
	// cancelled when all callers have left. A caller that leaves during Send no
	// longer uses its request. If Send panics or calls runtime.Goexit, that is the
	// error of all its callers.
	Send(ctx context.Context) error

	// Reset makes the batch empty and keeps its memory for reuse.
	Reset()
}

// ErrWait is the error of requests that were not sent within [Group.MaxWait].
var ErrWait = errors.New("timed out waiting for earlier requests to the same server")

// Abandoned is the error of a caller whose context ended after its request was sent.
// The server may or may not execute the request. The Group still uses it: the caller
// must not read, change or reuse it.
type Abandoned struct{ Err error }

// Error returns the text of the cause, which is that of the caller's context.
func (e Abandoned) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e Abandoned) Unwrap() error { return e.Err }

// IsAbandoned reports whether err is [Abandoned]: the Group still uses the request.
func IsAbandoned(err error) bool {
	var abandoned Abandoned
	return errors.As(err, &abandoned)
}

// Do performs r, alone or in a batch. It returns the error of RoundTrip or of Send.
// After an error of Send some requests may still have a reply: R has to record
// whether r has one. If ctx ends while r is in a batch, the error is [Unsent] or
// [Abandoned].
func (g *Group[R]) Do(ctx context.Context, r R) error {
	defer g.calls.Add(-1)
	n := int(g.calls.Add(1))
	limit := g.MaxAlone
	if limit == 0 {
		limit = maxAlone
	}
	if n <= limit && (n == 1 || !g.busy.Load()) {
		return g.RoundTrip(ctx, r)
	}
	return g.share(ctx, r)
}

// DoAlone performs a request that must not share a round trip, because it is large or
// slow. It counts toward MaxAlone.
func (g *Group[R]) DoAlone(ctx context.Context, r R) error {
	defer g.calls.Add(-1)
	g.calls.Add(1)
	return g.RoundTrip(ctx, r)
}

// Load returns how many requests wait for a batch to be sent and how many batches are
// under way.
func (g *Group[R]) Load() (waiting, batches int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.waiting {
		waiting += b.callers
	}
	return waiting, g.running
}

// round is a batch with its callers.
type round[R any] struct {
	batch    Batch[R]
	size     int
	added    int       // requests, including removed ones
	callers  int       // that still wait
	deadline time.Time // the latest of the callers'
	forever  bool      // one of the callers has no deadline

	limit  *time.Timer // calls giveUp; nil without a limit
	sent   bool
	ctx    context.Context // of the round trip, when it is sent
	cancel context.CancelFunc

	done chan struct{} // closed after the round trip
	err  error         // valid when done is closed
}

func (g *Group[R]) share(ctx context.Context, r R) error {
	if err := ctx.Err(); err != nil {
		return Unsent{err}
	}
	if g.Detach != nil {
		g.Detach(r)
	}
	b, place := g.join(ctx, r)
	if b.wait(ctx) {
		return b.err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	b.callers--
	if !b.sent {
		if b.batch != nil { // nil after giveUp
			b.batch.Remove(place)
		}
		return Unsent{ctx.Err()}
	}
	if b.callers == 0 {
		b.cancel()
	}
	return Abandoned{ctx.Err()}
}

// join adds r to the batch that accepts requests, and returns the number of r in it.
func (g *Group[R]) join(ctx context.Context, r R) (b *round[R], place int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b = g.gathering()
	place = b.added
	b.size = b.batch.Add(r)
	b.added++
	b.callers++
	deadline, ok := ctx.Deadline()
	b.forever = b.forever || !ok
	if deadline.After(b.deadline) {
		b.deadline = deadline
	}
	switch {
	case g.running < maxBatches:
		g.running++
		g.busy.Store(true)
		go g.run()
	case g.MaxWait > 0 && b.limit == nil:
		b.limit = time.AfterFunc(g.MaxWait, func() { g.giveUp(b) })
	}
	return b, place
}

// giveUp fails the requests of a batch that has waited for too long.
func (g *Group[R]) giveUp(b *round[R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, b)
	if i < 0 {
		return // sent
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	g.keep(b.batch)
	b.batch, b.err = nil, Unsent{ErrWait}
	close(b.done)
}

// gathering returns the batch that accepts the next request.
func (g *Group[R]) gathering() *round[R] {
	if n := len(g.waiting); n > 0 && (g.BatchSize == 0 || g.waiting[n-1].size < g.BatchSize) {
		return g.waiting[n-1]
	}
	b := &round[R]{done: make(chan struct{})}
	if n := len(g.spare); n > 0 {
		b.batch, g.spare = g.spare[n-1], g.spare[:n-1]
	} else {
		b.batch = g.NewBatch()
	}
	g.waiting = append(g.waiting, b)
	return b
}

// run sends one batch after another until none waits, also if [runtime.Goexit] ends
// the goroutine of one of them.
func (g *Group[R]) run() {
	var last *round[R]
	resume(func() {
		for last = g.next(last); last != nil; last = g.next(last) {
			last.send()
			runtime.Gosched() // to the callers: most of them send their next request at once
		}
	}, func(again func()) { go again() })
}

// next keeps the memory of the batch that was sent last and returns the one to send now.
func (g *Group[R]) next(last *round[R]) *round[R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last != nil {
		g.keep(last.batch)
	}
	for len(g.waiting) > 0 {
		b := g.waiting[0]
		g.waiting = slices.Delete(g.waiting, 0, 1)
		if b.callers > 0 {
			b.begin()
			return b
		}
		if b.limit != nil {
			b.limit.Stop()
		}
		g.keep(b.batch)
	}
	g.running--
	g.busy.Store(g.running > 0)
	return nil
}

// keep keeps the memory of a batch for the next one.
func (g *Group[R]) keep(b Batch[R]) {
	if b != nil && len(g.spare) <= maxBatches { // those under way and the one that gathers
		b.Reset()
		g.spare = append(g.spare, b)
	}
}

// begin ends the gathering of b: no request is added after it.
func (b *round[R]) begin() {
	b.sent = true
	if b.limit != nil {
		b.limit.Stop()
	}
	if b.forever {
		b.ctx, b.cancel = context.WithCancel(context.Background())
	} else {
		b.ctx, b.cancel = context.WithDeadline(context.Background(), b.deadline)
	}
}

// send performs the round trip. If Send does not return, the state of the batch is
// unknown and it is not used again.
func (b *round[R]) send() {
	defer close(b.done)
	defer b.cancel()
	batch := b.batch
	b.batch = nil
	guard(&b.err, func() error {
		err := batch.Send(b.ctx)
		b.batch = batch
		return err
	})
}

// wait reports whether the round trip ended before ctx.
func (b *round[R]) wait(ctx context.Context) bool {
	left := ctx.Done()
	if left == nil { // a receive costs less than a select
		<-b.done
		return true
	}
	select {
	case <-b.done:
		return true
	case <-left:
		return false
	}
}
