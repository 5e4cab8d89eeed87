package wire

import "context"

const (
	// maxShared is the largest value, in bytes, that shares a round trip: larger ones
	// would delay the other callers.
	maxShared = 4 << 10

	// maxBatch is the size, in bytes, from which a batch accepts no further request. The
	// buffers of the sockets hold it, so it is written even if the server stops reading
	// until its replies are read, which happens only after everything is written.
	maxBatch = 32 << 10

	// maxRecord is the largest record of TLS. memcached 1.6.18 may leave unread what it
	// has taken from the socket together with an earlier record, until more arrives. So
	// one round trip over TLS is one record, or one item alone.
	maxRecord = 16 << 10

	// maxRequest is the size of the largest request that shares a round trip; a key has
	// at most 250 bytes and is sent twice.
	maxRequest = overhead + 2*250 + maxShared
)

// fit returns how many of items go into one round trip.
func (n *node) fit(op Op, items []Item) int {
	limit := n.protocol.maxBytes(op)
	if n.config.TLS != nil {
		limit = min(limit, maxRecord)
	}
	return fit(op, items, limit)
}

// batch is one round trip for requests of many callers, each of one item. All gets
// become one command, which the server answers much faster than many.
type batch struct {
	node     *node
	requests []*Request // nil if the caller has left
	encoded  writer     // all requests but gets
	ends     []int      // of each request in encoded
	gets     Request    // built when the batch is sent
	size     int        // bytes
}

// Add encodes r, because the caller may leave before the batch is sent.
func (b *batch) Add(r *Request) int {
	if r.Op != OpGet {
		r.write(&b.encoded)
	}
	b.requests, b.ends = append(b.requests, r), append(b.ends, len(b.encoded.buf))
	b.size += r.one[0].size(r.Op)
	return b.size
}

func (b *batch) Remove(i int) { b.requests[i] = nil }

func (b *batch) Send(ctx context.Context) error { return b.node.roundTrip(ctx, b) }

func (b *batch) Reset() {
	clear(b.requests)
	clear(b.gets.Items)
	*b = batch{node: b.node, requests: b.requests[:0], encoded: writer{buf: b.encoded.buf[:0]}, ends: b.ends[:0], gets: Request{Items: b.gets.Items[:0]}}
}

func (b *batch) accepts(*conn) bool { return true } // requests with Since are not shareable

func (b *batch) discard() bool {
	if len(b.requests) == 1 && b.requests[0] != nil {
		return b.requests[0].discard()
	}
	for _, r := range b.requests {
		if r != nil {
			r.reset()
		}
	}
	return true
}

func (b *batch) write(w *writer) {
	b.gets.Op, b.gets.protocol = OpGet, b.node.protocol
	begin := 0
	for i, r := range b.requests {
		switch {
		case r == nil:
		case r.Op == OpGet:
			b.gets.Items = append(b.gets.Items, Item{Key: r.one[0].Key})
		default:
			w.buf = append(w.buf, b.encoded.buf[begin:b.ends[i]]...)
		}
		begin = b.ends[i]
	}
	if len(b.gets.Items) > 0 {
		b.gets.write(w)
	}
}

func (b *batch) read(in *reader) error {
	for _, r := range b.requests {
		if r == nil || r.Op == OpGet {
			continue
		}
		if err := r.read(in); err != nil {
			return err
		}
	}
	if len(b.gets.Items) == 0 {
		return nil
	}
	if err := b.gets.read(in); err != nil {
		return err
	}
	next := 0
	for _, r := range b.requests {
		if r != nil && r.Op == OpGet {
			r.one[0] = b.gets.Items[next]
			next++
		}
	}
	return nil
}
