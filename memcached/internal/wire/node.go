package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// node is one server with a pool of connections.
type node struct {
	client   *Client
	config   *Config // of client
	protocol protocol
	addr     net.Addr
	slots    chan struct{} // one for each connection in use
	group    remote.Group[*Request]

	retired atomic.Bool // no connection is kept: the selector does not list addr any more

	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

	mu      sync.Mutex
	idle    []*conn // the last was used last
	current string  // the address of the server that was dialled last; empty before
	warned  bool    // that the host name has other addresses
}

func (c *Client) newNode(addr net.Addr) *node {
	n := &node{client: c, config: &c.config, protocol: c.protocol, addr: addr, slots: make(chan struct{}, c.config.PoolSize)}
	n.lookup = net.DefaultResolver.LookupNetIP
	n.group.RoundTrip = func(ctx context.Context, r *Request) error { return n.roundTrip(ctx, r) }
	n.group.NewBatch = func() remote.Batch[*Request] { return &batch{node: n} }
	n.group.BatchSize, n.group.MaxAlone, n.group.MaxWait = maxBatch, c.config.MaxAlone, c.config.ReadTimeout
	if c.config.TLS != nil {
		n.group.BatchSize = maxRecord - overhead - maxRequest
	}
	return n
}

// do performs r. If the connection broke and r may be sent again, it tries once more:
// the server may have been restarted, and idle connections are as old as the broken one.
// The error is [remote.Unsent] only if neither attempt was sent.
func (n *node) do(ctx context.Context, r *Request) error {
	r.protocol = n.protocol
	err := n.send(ctx, r)
	if !isBroken(err) {
		return err
	}
	n.dropIdle()
	if !r.Op.IsRetryable() && !remote.IsUnsent(err) {
		return err
	}
	r.reset()
	again := n.send(ctx, r)
	if again != nil && !remote.IsUnsent(err) {
		return err
	}
	return again
}

// isBroken reports whether the connection ended, before or after the request was sent.
func isBroken(err error) bool {
	if err == nil {
		return false
	}
	var unsent remote.Unsent
	if errors.As(err, &unsent) {
		err = unsent.Err
	}
	return remote.IsBroken(err)
}

// send performs r, alone or together with the requests of other callers.
func (n *node) send(ctx context.Context, r *Request) error {
	if !r.shareable {
		return n.group.DoAlone(ctx, r)
	}
	err := n.group.Do(ctx, r)
	switch {
	case err == nil || remote.IsAbandoned(err):
		return err
	case r.one[0].Answered:
		return nil // the batch failed after this reply
	case r.Op == OpGet && isServerError(err):
		// Another key of the batch may be the one that a proxy could not read.
		r.reset()
		return n.group.DoAlone(ctx, r)
	}
	return err
}

// exchange is what one round trip writes and reads.
type exchange interface {
	write(w *writer)
	read(r *reader) error
	// discard removes the replies if there are several, and reports whether it did.
	discard() bool
	// accepts reports whether the exchange may use c.
	accepts(c *conn) bool
}

// roundTrip performs an exchange on a connection of the pool. After an error the
// connection is closed; the error is [remote.Unsent] if nothing was written.
//
// The connection is also closed if the server has sent more than the replies: the next
// caller would read the rest as its own reply. Several replies are then discarded, because
// any of them may be the one too many.
func (n *node) roundTrip(ctx context.Context, e exchange) (err error) {
	c, err := n.take(ctx)
	if err != nil {
		return err
	}
	inStep, idleSince := false, c.used // nor is it in step after a panic
	defer func() {
		now := time.Now()
		n.release(c, inStep, now) // c belongs to another caller from here on
		n.forget(now.Sub(idleSince), err)
		n.client.sweep(now)
	}()
	if inStep = !e.accepts(c); inStep {
		return remote.Unsent{Err: ErrReconnected}
	}
	c.socket.attach(ctx)
	c.socket.begin(n.config.WriteTimeout)
	e.write(&c.w)
	if err = c.w.flush(); err != nil {
		if c.socket.written == 0 {
			return remote.Unsent{Err: err}
		}
		return err
	}
	err = e.read(&c.r)
	if err != nil && !c.socket.received && (remote.IsBroken(err) || errors.Is(err, errTimeout)) {
		return fmt.Errorf("%w: %s", err, hintNoReply)
	}
	if err != nil {
		return err
	}
	if inStep = !c.hasUnread(); !inStep && e.discard() {
		return ErrMalformed
	}
	return nil
}

// acquire reserves a connection of the pool. It waits at most Config.ReadTimeout: with a
// server that does not reply, the wait of a caller must not grow with the number of
// callers before it.
func (n *node) acquire(ctx context.Context) error {
	select {
	case n.slots <- struct{}{}:
		return nil
	default:
	}
	limit := time.NewTimer(n.config.ReadTimeout)
	defer limit.Stop()
	select {
	case n.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return remote.Unsent{Err: ctx.Err()}
	case <-limit.C:
		return remote.Unsent{Err: fmt.Errorf("timed out waiting for a connection: all %d are in use (pool_size)", n.config.PoolSize)}
	}
}

// take returns an idle connection or a new one.
func (n *node) take(ctx context.Context) (*conn, error) {
	if err := n.acquire(ctx); err != nil {
		return nil, err
	}
	if n.client.closed.Load() {
		<-n.slots
		return nil, driver.ErrClosed
	}
	for c := n.pop(); c != nil; c = n.pop() {
		if c.probe() {
			return c, nil // open, and nothing was sent that would be read as the next reply
		}
		c.socket.Close()
	}
	c, err := n.dial(ctx)
	if err != nil {
		<-n.slots
		return nil, remote.Unsent{Err: err}
	}
	return c, nil
}

func (n *node) pop() *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.idle) == 0 {
		return nil
	}
	c := n.idle[len(n.idle)-1]
	n.idle = n.idle[:len(n.idle)-1]
	return c
}

// release returns a connection to the pool, or closes it if it is out of step.
func (n *node) release(c *conn, inStep bool, now time.Time) {
	defer func() { <-n.slots }()
	c.used = now
	n.mu.Lock()
	defer n.mu.Unlock()
	if !inStep || n.client.closed.Load() || n.retired.Load() || c.addr != n.current {
		c.socket.Close()
		return
	}
	n.idle = append(n.idle, c)
}

// forgotten is how long a connection is idle at least before a firewall forgets it.
const forgotten = time.Minute

// forget closes the idle connections if the server did not reply in time: a firewall may
// have forgotten them, and each would cost a timeout. The deadline of a caller may be short,
// so it counts only on a connection that had been idle for long.
func (n *node) forget(idle time.Duration, err error) {
	if err == nil {
		return
	}
	if errors.Is(err, errTimeout) || idle > forgotten && errors.Is(err, context.DeadlineExceeded) {
		n.dropIdle()
	}
}

// dropIdle closes the idle connections.
func (n *node) dropIdle() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.idle {
		c.socket.Close()
	}
	n.idle = nil
}

// many performs op for items, as many as fit into one round trip at a time, and stores
// an error in each item without a reply. It stops after a failure.
func (n *node) many(ctx context.Context, op Op, items []Item) {
	for len(items) > 0 {
		fit := n.fit(op, items)
		r := &Request{Op: op, Items: items[:fit]}
		if err := n.do(ctx, r); err != nil {
			err = Outcome(ctx, err, op.IsWrite())
			FailUnanswered(items[:fit], err)
			FailUnanswered(items[fit:], driver.Skipped(err))
			return
		}
		if slices.ContainsFunc(r.Items, func(it Item) bool { return !it.Answered }) {
			n.resolveRefused(ctx, r.Items)
		}
		items = items[fit:]
	}
}

// resolveRefused finds out which items of a quiet set were rejected, and why: the server
// does not name them. It leaves nothing under a rejected key. So an item that is present
// was stored, or something newer was, which stays. An item that is absent is added once
// more, with a reply for each.
func (n *node) resolveRefused(ctx context.Context, items []Item) {
	meta := make([]Item, len(items))
	for i := range items {
		meta[i].Key = items[i].Key
	}
	n.many(ctx, OpMeta, meta)
	var add []Item
	var places []int
	for i := range meta {
		switch {
		case meta[i].Err != nil:
			items[i].Fail(fmt.Errorf("%w: %v", driver.ErrUnknownOutcome, meta[i].Err))
		case meta[i].OK && !meta[i].HasPlaceholder(OpMeta):
			items[i].Answer(true)
		default:
			add, places = append(add, items[i]), append(places, i)
		}
	}
	n.many(ctx, OpAdd, add)
	for i, place := range places {
		it := &add[i]
		if errors.Is(it.Err, driver.ErrUnavailable) { // the set may have stored what is absent since
			it.Err = fmt.Errorf("%w: %v", driver.ErrUnknownOutcome, it.Err)
		}
		it.OK = it.Err == nil && (it.OK || it.Flags != FlagLease) // or another writer was faster
		items[place] = *it
	}
}
