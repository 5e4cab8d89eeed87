package redis

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	// largest is the largest value, in bytes, that shares a round trip: larger ones
	// would keep the others waiting.
	largest = 64 << 10

	// lanes is how many batches are under way at most. Measured: with one, batches
	// are the deepest and a server nearby answers 10 % more; with two, a slow
	// answer does not keep everybody waiting, nor does a distant server.
	lanes = 2
)

// shared puts the commands of many callers into one round trip: while batches are
// under way the next one gathers. The driver has an automatic pipeliner of its own,
// but that sends a command even when its caller has gone, whenever its turn comes.
type shared struct {
	backend *Backend
	mu      sync.Mutex
	next    *batch
	running int         // lanes
	busy    atomic.Bool // running > 0, for those who do not hold mu
}

type batch struct {
	cmds     []goredis.Cmder // nil where the caller has gone
	deadline time.Time       // of the most patient caller
	forever  bool            // a caller has no deadline
	sent     bool
	done     chan struct{} // closed when every command has its reply
}

func newShared(backend *Backend) *shared {
	return &shared{backend: backend, next: newBatch()}
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// process returns when cmd has its reply or ctx is done. In the latter case the
// error is abandoned if cmd has been sent.
func (s *shared) process(ctx context.Context, cmd goredis.Cmder) error {
	own(cmd.Args())
	s.mu.Lock()
	b, place := s.next, len(s.next.cmds)
	b.add(ctx, cmd)
	if s.running < lanes {
		s.running++
		s.busy.Store(true)
		go s.run()
	}
	s.mu.Unlock()
	if b.wait(ctx) {
		return cmd.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.sent {
		return abandoned{ctx.Err()}
	}
	b.cmds[place] = nil
	return ctx.Err()
}

// wait reports whether b was done before ctx.
func (b *batch) wait(ctx context.Context) bool {
	gone := ctx.Done()
	if gone == nil { // a receive alone costs less than a select
		<-b.done
		return true
	}
	select {
	case <-b.done:
		return true
	case <-gone:
		return false
	}
}

// own replaces the caller's memory, for an abandoned command may be written after
// its caller has gone on.
func own(args []any) {
	for i, arg := range args {
		if value, ok := arg.([]byte); ok {
			args[i] = bytes.Clone(value)
		}
	}
}

func (b *batch) add(ctx context.Context, cmd goredis.Cmder) {
	b.cmds = append(b.cmds, cmd)
	deadline, ok := ctx.Deadline()
	b.forever = b.forever || !ok
	if deadline.After(b.deadline) {
		b.deadline = deadline
	}
}

// run is a lane: it sends batches until there is nothing to send.
func (s *shared) run() {
	for {
		s.mu.Lock()
		b := s.next
		if len(b.cmds) == 0 {
			s.running--
			s.busy.Store(s.running > 0)
			s.mu.Unlock()
			return
		}
		b.sent = true
		s.next = newBatch()
		s.mu.Unlock()
		b.exec(s.backend)
		close(b.done)
		runtime.Gosched() // to those who have their answers: most come back at once
	}
}

func (b *batch) exec(backend *Backend) {
	ctx := context.Background()
	if !b.forever {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, b.deadline)
		defer cancel()
	}
	waiting := slices.DeleteFunc(b.cmds, func(cmd goredis.Cmder) bool { return cmd == nil })
	defer func() { // nobody else could recover on this goroutine
		if p := recover(); p != nil {
			setErr(waiting, fmt.Errorf("panic in the driver: %v", p))
		}
	}()
	_ = backend.exec(ctx, backend.client.Pipeline(), waiting) // each has its own error
}
