package memcached

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// largest is the largest value, in bytes, that shares a round trip: larger ones
	// would keep the others waiting.
	largest = 4 << 10

	// fullBatch is the size of a batch, in bytes, that takes no more. The sockets'
	// buffers hold it, so that it is written even to a server that does not read on
	// before its answers are taken, which nobody does before all is written.
	fullBatch = 32 << 10

	// longestRequest is the size of the largest request that shares a round trip.
	longestRequest = overhead + keyLimit + largest

	// lanes is how many batches are under way at most.
	lanes = 2
)

// pipeline puts the requests of many callers into one round trip: while batches
// are under way the next one gathers.
type pipeline struct {
	node    *node
	mu      sync.Mutex
	waiting []*batch
	spare   []gathered  // memory of batches that are done with it
	running int         // lanes
	busy    atomic.Bool // running > 0, for those who do not hold mu
}

// batch is what goes out together. For the connection it is the caller. All that
// is to be got is one command, which the server answers much faster than many.
type batch struct {
	gathered
	size     int       // bytes
	errs     []error   // of the requests, when it is done; nil where none has one
	deadline time.Time // of the most patient caller
	forever  bool      // a caller has no deadline
	sent     bool
	callers  atomic.Int32  // who still wait
	done     chan struct{} // closed when every request has its answer
}

// gathered is what a batch is about until it is done: the next one uses its memory.
type gathered struct {
	requests []*request // nil where the caller has gone before it was sent
	out      out        // all but what is to be got
	ends     []int      // of the requests in out
	gets     []item     // what is to be got, when it is sent
}

// takes reports whether r may go with others.
func (p *pipeline) takes(r *request) bool {
	switch r.verb {
	case vPing, vFlush, vDate:
		return false
	}
	return len(r.items) == 1 && len(r.one[0].value) <= largest
}

// process returns when r has its answer or ctx is done. In the latter case r is
// still in use, unless the error is unsent.
func (p *pipeline) process(ctx context.Context, r *request) error {
	p.mu.Lock()
	b := p.gathering()
	place := b.add(ctx, r, p.node.wire.protocol)
	if p.running < lanes {
		p.running++
		p.busy.Store(true)
		go p.run()
	}
	p.mu.Unlock()
	if b.wait(ctx) {
		return b.err(place)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b.callers.Add(-1)
	if b.sent {
		return ctx.Err()
	}
	b.requests[place] = nil
	return unsent{ctx.Err()}
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

// gathering returns the batch that takes the next request.
func (p *pipeline) gathering() *batch {
	if n := len(p.waiting); n > 0 && p.waiting[n-1].size < p.node.wire.batchBytes() {
		return p.waiting[n-1]
	}
	b := &batch{done: make(chan struct{})}
	if n := len(p.spare); n > 0 {
		b.gathered, p.spare = p.spare[n-1], p.spare[:n-1]
	}
	p.waiting = append(p.waiting, b)
	return b
}

// add copies r into the batch: it may be sent when its caller has gone on.
func (b *batch) add(ctx context.Context, r *request, protocol protocol) (place int) {
	if r.verb != vGet {
		protocol.write(&b.out, r)
	}
	b.size += r.items[0].size(r.verb)
	b.requests, b.ends = append(b.requests, r), append(b.ends, len(b.out.buf))
	b.callers.Add(1)
	deadline, ok := ctx.Deadline()
	b.forever = b.forever || !ok
	if deadline.After(b.deadline) {
		b.deadline = deadline
	}
	return len(b.requests) - 1
}

// run is a lane: it sends batches until there is nothing to send.
func (p *pipeline) run() {
	for b := p.next(nil); b != nil; b = p.next(b) {
		b.exec(p.node)
		close(b.done)
		runtime.Gosched() // to those who have their answers: most come back at once
	}
}

// next returns the batch whose turn it is, and takes the memory of the last. Without
// one the lane ends.
func (p *pipeline) next(last *batch) *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last != nil && len(p.spare) < lanes {
		clear(last.requests)
		clear(last.gets)
		p.spare = append(p.spare, gathered{last.requests[:0], out{buf: last.out.buf[:0]}, last.ends[:0], last.gets[:0]})
	}
	if len(p.waiting) == 0 {
		p.running--
		p.busy.Store(p.running > 0)
		return nil
	}
	b := p.waiting[0]
	p.waiting = p.waiting[1:]
	b.sent = true
	return b
}

// exec sends what callers still wait for.
func (b *batch) exec(n *node) {
	ctx, cancel := b.context()
	defer cancel()
	c, err := n.take(ctx)
	if err != nil {
		b.fail(err)
		return
	}
	c.socket.serve(b)
	c.socket.allow(n.wire.options.WriteTimeout)
	b.write(&c.out, n.wire.protocol)
	if err = c.out.end(); err == nil {
		err = b.read(&c.in, n.wire.protocol)
	}
	if err = n.give(c, err); err != nil {
		b.fail(err)
	}
}

// write appends the requests to o.
func (b *batch) write(o *out, protocol protocol) {
	begin := 0
	for i, end := range b.ends {
		r := b.requests[i]
		switch {
		case r == nil:
		case r.verb == vGet:
			b.gets = append(b.gets, item{key: r.one[0].key})
		default:
			o.buf = append(o.buf, b.out.buf[begin:end]...)
		}
		begin = end
	}
	if len(b.gets) > 0 {
		protocol.write(o, b.got())
	}
}

// got is the one request for all that is to be got.
func (b *batch) got() *request { return &request{verb: vGet, items: b.gets} }

// read takes the answers.
func (b *batch) read(in *in, protocol protocol) error {
	for _, r := range b.requests {
		if r == nil || r.verb == vGet {
			continue
		}
		in.next()
		if err := protocol.read(in, r); err != nil {
			return err
		}
	}
	if len(b.gets) == 0 {
		return nil
	}
	in.next()
	if err := protocol.read(in, b.got()); err != nil {
		return err
	}
	next := 0
	for _, r := range b.requests {
		if r != nil && r.verb == vGet {
			r.one[0] = b.gets[next]
			next++
		}
	}
	return nil
}

// fail is the outcome of the requests that have no answer.
func (b *batch) fail(err error) {
	b.errs = make([]error, len(b.requests))
	for i, r := range b.requests {
		if r != nil && !r.one[0].seen {
			b.errs[i] = err
		}
	}
}

// err is the outcome of a request, when all is done.
func (b *batch) err(place int) error {
	if b.errs == nil {
		return nil
	}
	return b.errs[place]
}

// context is for what may have to be done before sending: waiting for a
// connection, and dialling.
func (b *batch) context() (context.Context, context.CancelFunc) {
	if b.forever {
		return context.Background(), func() {}
	}
	return context.WithDeadline(context.Background(), b.deadline)
}

// Deadline is that of the most patient caller.
func (b *batch) Deadline() (time.Time, bool) { return b.deadline, !b.forever }

// Err ends the exchange when all callers have gone.
func (b *batch) Err() error {
	if b.callers.Load() == 0 {
		return context.Canceled
	}
	return nil
}
