// Package wire is a client of memcached: connection pools, coalescing of concurrent
// callers, the text and the binary protocol, and the distribution of keys to servers.
package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// Config is the configuration of a Client. It has no defaults.
type Config struct {
	Selector memcache.ServerSelector
	Binary   bool        // the protocol; otherwise text
	TLS      *tls.Config // nil: no TLS
	Username string      // empty: no login
	Password driver.Secret

	MaxItemSize int // the largest value of a reply, in bytes
	PoolSize    int // connections per server

	DialTimeout  time.Duration // of one connection, with TLS and login
	ReadTimeout  time.Duration // of one reply
	WriteTimeout time.Duration // of one request

	MaxAlone int // of remote.Group: 0 for the default
}

// Client performs requests on several servers. It is safe for concurrent use.
type Client struct {
	config   Config
	protocol protocol

	mu     sync.Mutex // guards changes of nodes
	nodes  atomic.Pointer[map[address]*node]
	closed atomic.Bool
	swept  atomic.Int64 // when sweep called update last, in nanoseconds of the Unix time
}

// sweepEvery is how often servers that the selector does not return any more are looked
// for. A new server is another occasion.
const sweepEvery = time.Minute

// NewClient returns a Client that opens connections when they are needed.
func NewClient(config Config) *Client {
	c := &Client{config: config, protocol: text{}}
	if config.Binary {
		c.protocol = binaryProtocol{}
	}
	c.nodes.Store(&map[address]*node{})
	c.swept.Store(time.Now().UnixNano())
	return c
}

// Do performs a request of one item. After an error r may still be in use.
func (c *Client) Do(ctx context.Context, r *Request) error {
	addr, err := c.config.Selector.PickServer(r.Items[0].Key)
	if err != nil {
		return Outcome(ctx, remote.Unsent{Err: err}, r.Op.IsWrite())
	}
	return Outcome(ctx, c.node(addr).do(ctx, r), r.Op.IsWrite())
}

// Place returns the address of the server of key, or "" without a server.
func (c *Client) Place(key string) string {
	addr, err := c.config.Selector.PickServer(key)
	if err != nil {
		return ""
	}
	return addr.String()
}

// node returns the pool of a server.
func (c *Client) node(addr net.Addr) *node {
	key := address{addr.Network(), addr.String()}
	if n := (*c.nodes.Load())[key]; n != nil {
		return n
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := (*c.nodes.Load())[key]; n != nil {
		return n
	}
	n := c.newNode(addr)
	c.update(key, n)
	return n
}

// sweep retires servers from time to time: the selector may have dropped some.
func (c *Client) sweep(now time.Time) {
	last := c.swept.Load()
	if now.UnixNano()-last < int64(sweepEvery) || !c.swept.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.update(address{}, nil)
}

// update adds n, unless it is nil, and retires the servers that the selector does not list.
// Their number, and that of their connections, would grow with every change. The caller
// holds mu.
func (c *Client) update(key address, n *node) {
	nodes := maps.Clone(*c.nodes.Load())
	if n != nil {
		nodes[key] = n
	}
	defer c.nodes.Store(&nodes)
	if _, fixed := c.config.Selector.(*selector); fixed {
		return
	}
	listed := map[address]bool{key: true}
	err := c.config.Selector.Each(func(addr net.Addr) error {
		listed[address{addr.Network(), addr.String()}] = true
		return nil
	})
	if err != nil {
		return
	}
	for key, n := range nodes {
		if !listed[key] {
			n.retired.Store(true)
			n.dropIdle()
			delete(nodes, key)
		}
	}
}

// Many performs op for items of any server, on all servers at once. It stores an error
// in each item without a reply and skips items that have failed already.
func (c *Client) Many(ctx context.Context, op Op, items []Item) {
	places := map[*node][]int{} // of the items of each server
	var last *address           // and its node
	var n *node
	for i := range items {
		if items[i].Err != nil {
			continue
		}
		addr, err := c.config.Selector.PickServer(items[i].Key)
		if err != nil {
			items[i].Fail(Outcome(ctx, remote.Unsent{Err: err}, op.IsWrite()))
			continue
		}
		if ours, _ := addr.(*address); ours == nil || ours != last {
			n, last = c.node(addr), ours
		}
		places[n] = append(places[n], i)
	}
	if len(places[n]) == len(items) {
		n.many(ctx, op, items)
		return
	}
	var running sync.WaitGroup
	for n, places := range places {
		running.Go(func() {
			part := make([]Item, len(places))
			for i, place := range places {
				part[i] = items[place]
			}
			n.many(ctx, op, part)
			for i, place := range places {
				items[place] = part[i]
			}
		})
	}
	running.Wait()
}

// Each performs an operation without items on every server.
func (c *Client) Each(ctx context.Context, op Op) error {
	return c.eachNode(func(n *node) error { return Outcome(ctx, n.do(ctx, &Request{Op: op}), op.IsWrite()) })
}

// eachNode calls do for all servers at once and joins their errors.
func (c *Client) eachNode(do func(n *node) error) error {
	addrs, err := c.servers()
	if err != nil {
		return err
	}
	errs := make([]error, len(addrs))
	var running sync.WaitGroup
	for i, addr := range addrs {
		n := c.node(addr)
		running.Go(func() { errs[i] = do(n) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// servers returns the addresses of all servers. The selector may hold a lock while it
// lists them, which node also needs.
func (c *Client) servers() ([]net.Addr, error) {
	var addrs []net.Addr
	err := c.config.Selector.Each(func(addr net.Addr) error {
		addrs = append(addrs, addr)
		return nil
	})
	if err != nil || len(addrs) == 0 {
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, memcache.ErrNoServers)
	}
	return addrs, nil
}

// Close closes the idle connections. Requests under way finish.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed.Store(true)
	for _, n := range *c.nodes.Load() {
		n.dropIdle()
	}
}

// Load returns how many connections are idle, how many requests wait to be sent together,
// and how many batches of them are under way, on all servers.
func (c *Client) Load() (idle, waiting, batches int) {
	for _, n := range *c.nodes.Load() {
		n.mu.Lock()
		idle += len(n.idle)
		n.mu.Unlock()
		w, b := n.group.Load()
		waiting, batches = waiting+w, batches+b
	}
	return idle, waiting, batches
}
