package memcached

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// node is one server, and the connections to it.
type node struct {
	wire  *wire
	addr  net.Addr
	slots chan struct{} // one for each connection in use
	calls atomic.Int32
	pipe  *pipeline

	mu   sync.Mutex
	idle []*conn // the last was used last
}

func newNode(w *wire, addr net.Addr) *node {
	n := &node{wire: w, addr: addr, slots: make(chan struct{}, w.options.PoolSize)}
	n.pipe = &pipeline{node: n}
	return n
}

// alone is how many calls at a time go each their own way. Beyond it a shared
// round trip saves more than the wait for it costs.
const alone = 4

// do runs a request of one item or none. Once it repeats what may be repeated,
// where a connection broke: that of a server that was restarted meanwhile.
func (n *node) do(ctx context.Context, r *request) error {
	return n.twice(r, func() error { return n.process(ctx, r) })
}

// twice calls exchange again where the connection broke and r may be repeated. The
// other connections are as old and may be broken, too.
func (n *node) twice(r *request, exchange func() error) error {
	err := exchange()
	if !isBroken(err) {
		return err
	}
	n.dropIdle()
	if !r.verb.isRepeatable() && !isUnsent(err) {
		return err
	}
	r.forget()
	if exchange() == nil {
		return nil
	}
	return err
}

// process runs r with a connection of its own or, among many callers, in a round
// trip with others.
func (n *node) process(ctx context.Context, r *request) error {
	defer n.calls.Add(-1)
	calls := n.calls.Add(1)
	if calls == 1 || calls <= alone && !n.pipe.busy.Load() || !n.pipe.takes(r) {
		return n.exchange(ctx, r)
	}
	return n.pipe.process(ctx, r)
}

// exchange runs r with a connection of its own.
func (n *node) exchange(ctx context.Context, r *request) error {
	c, err := n.take(ctx)
	if err != nil {
		return err
	}
	o := n.wire.options
	c.socket.serve(ctx)
	c.socket.allow(o.WriteTimeout)
	n.wire.protocol.write(&c.out, r)
	if err = c.out.end(); err == nil {
		c.in.next()
		err = n.wire.protocol.read(&c.in, r)
	}
	return n.give(c, err)
}

// take returns a connection that nobody uses, or a new one.
func (n *node) take(ctx context.Context) (*conn, error) {
	select {
	case n.slots <- struct{}{}:
	default:
		select {
		case n.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, unsent{ctx.Err()}
		}
	}
	if n.wire.closed.Load() {
		<-n.slots
		return nil, cache.ErrClosed
	}
	for {
		c := n.pop()
		if c == nil {
			break
		}
		if c.isAlive() {
			return c, nil
		}
		c.socket.Close()
	}
	c, err := n.wire.dial(ctx, n.addr)
	if err != nil {
		<-n.slots
		return nil, unsent{err}
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

// give takes back a connection after an exchange that ended with err, and returns
// that: as unsent where nothing was written.
func (n *node) give(c *conn, err error) error {
	defer func() { <-n.slots }()
	if err != nil {
		c.socket.Close()
		if c.socket.written == 0 {
			return unsent{err}
		}
		return err
	}
	c.used = time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wire.closed.Load() {
		c.socket.Close()
		return nil
	}
	n.idle = append(n.idle, c)
	return nil
}

// dropIdle closes the connections that nobody uses.
func (n *node) dropIdle() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.idle {
		c.socket.Close()
	}
	n.idle = nil
}
