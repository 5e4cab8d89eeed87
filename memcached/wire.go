package memcached

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/bradfitz/gomemcache/memcache"
)

// wire is our own client: a connection pool for each server, and a selector.
type wire struct {
	options     Options
	credentials func() (username, password string) // nil where there are none
	protocol    protocol
	selector    memcache.ServerSelector

	mu     sync.Mutex // to change nodes
	nodes  atomic.Pointer[map[place]*node]
	closed atomic.Bool
}

// place is what tells servers apart.
type place struct{ network, addr string }

func newWire(o Options, credentials func() (username, password string)) *wire {
	w := &wire{options: o, credentials: credentials, protocol: text{}, selector: newSelector(o)}
	if o.Protocol == Binary {
		w.protocol = binaryProtocol{}
	}
	w.nodes.Store(&map[place]*node{})
	return w
}

// record is the largest record of TLS. memcached (1.6.18) may leave unread what it has
// taken from the socket with a record before, until more comes; so whatever goes out
// together over TLS is one record, or one item and nothing behind it.
const record = 16 << 10

// fits returns how many of items go into one round trip.
func (w *wire) fits(v verb, items []item) int {
	n := w.protocol.fits(v, items)
	if w.options.TLS != nil {
		n = fit(v, items[:n], record)
	}
	return n
}

// batchBytes is the size of a batch of many callers that takes no more.
func (w *wire) batchBytes() int {
	if w.options.TLS != nil {
		return record - overhead - longestRequest
	}
	return fullBatch
}

// do runs r, whose items all belong to one server. Where it returns an error r may
// still be in use.
func (w *wire) do(ctx context.Context, r *request) error {
	addr, err := w.selector.PickServer(r.items[0].key)
	if err != nil {
		return failure(unsent{err}, false)
	}
	n := w.node(addr)
	return failure(n.do(ctx, r), r.verb.isWrite())
}

// node returns the pool of a server.
func (w *wire) node(addr net.Addr) *node {
	p := place{addr.Network(), addr.String()}
	if n := (*w.nodes.Load())[p]; n != nil {
		return n
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	old := *w.nodes.Load()
	if n := old[p]; n != nil {
		return n
	}
	nodes := make(map[place]*node, len(old)+1)
	for p, n := range old {
		nodes[p] = n
	}
	nodes[p] = newNode(w, addr)
	w.nodes.Store(&nodes)
	return nodes[p]
}

// many runs v for items of any servers, side by side, and leaves an error in each
// item that has no answer. It passes over those that have failed already.
func (w *wire) many(ctx context.Context, v verb, items []item) {
	nodes, same := w.nodesOf(items)
	if same {
		nodes[0].many(ctx, v, items)
		return
	}
	parts := map[*node]*part{}
	for i, n := range nodes {
		if n == nil {
			continue
		}
		if parts[n] == nil {
			parts[n] = new(part)
		}
		p := parts[n]
		p.items, p.places = append(p.items, items[i]), append(p.places, i)
	}
	var running sync.WaitGroup
	for n, p := range parts {
		running.Go(func() { n.many(ctx, v, p.items) })
	}
	running.Wait()
	for _, p := range parts {
		for i, place := range p.places {
			items[place] = p.items[i]
		}
	}
}

// part is what one server has of several items.
type part struct {
	items  []item
	places []int // of them among all
}

// nodesOf returns the server of each item, nil for those that have failed, and
// whether it is the same for all.
func (w *wire) nodesOf(items []item) (nodes []*node, same bool) {
	nodes = make([]*node, len(items))
	var last *address // and its node
	var n *node
	for i := range items {
		if items[i].err != nil {
			continue
		}
		addr, err := w.selector.PickServer(items[i].key)
		if err != nil {
			items[i].fail(failure(unsent{err}, false))
			continue
		}
		if ours, _ := addr.(*address); ours == nil || ours != last {
			n, last = w.node(addr), ours
		}
		nodes[i] = n
	}
	differs := func(n *node) bool { return n != nodes[0] || n == nil }
	return nodes, len(nodes) > 0 && !slices.ContainsFunc(nodes, differs)
}

// each runs v, which is about no item, on every server.
func (w *wire) each(ctx context.Context, v verb) error {
	return w.eachNode(func(n *node) error {
		return failure(n.do(ctx, &request{verb: v}), v.isWrite())
	})
}

// eachNode calls do for every server, for all at once, and returns their errors.
func (w *wire) eachNode(do func(n *node) error) error {
	var nodes []*node
	err := w.selector.Each(func(addr net.Addr) error {
		nodes = append(nodes, w.node(addr))
		return nil
	})
	if err != nil || len(nodes) == 0 {
		return failure(unsent{memcache.ErrNoServers}, false)
	}
	errs := make([]error, len(nodes))
	var running sync.WaitGroup
	for i, n := range nodes {
		running.Go(func() { errs[i] = do(n) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// tellsDates reports whether the protocol knows the expiry of what is there.
func (w *wire) tellsDates() bool { return w.options.Protocol == Text }

func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed.Store(true)
	for _, n := range *w.nodes.Load() {
		n.dropIdle()
	}
}
