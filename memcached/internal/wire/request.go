package wire

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// Op is what a request asks of the server for each of its items.
type Op uint8

// The operations.
const (
	OpGet            Op = iota // value and flags
	OpGets                     // value, flags and CAS, which the text protocol reads before the value
	OpMeta                     // flags, remaining TTL and CAS, without the value
	OpGetTTL                   // what OpGets and OpMeta return
	OpDescribe                 // flags, remaining TTL and the size as Number; does not count as a use of the entry
	OpPeek                     // what OpGetTTL returns; does not count as a use of the entry
	OpStats                    // without items: the statistics of the server
	OpExpiryTime               // of one item: expiry as a date by the server's clock, and CAS
	OpSet                      // store
	OpLease                    // store if the key is absent and return the CAS; otherwise do what OpGets does
	OpAdd                      // store if the key is absent; otherwise flags and CAS, unless Value is large
	OpCompareAndSwap           // store if CAS is still that of the entry
	OpIncrement                // add Number if CAS is still that of the entry; Number becomes the sum
	OpDelete                   // remove; if CAS is not 0, only while it is that of the entry, otherwise flags
	OpPing                     // without items
	OpFlush                    // without items: empty the server
)

// IsWrite reports whether op changes something.
func (op Op) IsWrite() bool { return op >= OpSet && op != OpPing }

// FlagLease marks the placeholder of a lease. Its low bits are 0, so that other clients
// read bytes, not a value of a type of theirs.
const FlagLease = 1 << 17

// HasPlaceholder reports whether the reply to op describes the placeholder of a lease.
func (it *Item) HasPlaceholder(op Op) bool {
	return it.Flags == FlagLease && (!op.IsWrite() || op == OpLease || op == OpDelete)
}

// Clock returns a monotonic time.
func Clock() time.Duration { return time.Since(started) }

var started = time.Now()

// ErrReconnected is the error of an item with Since on a connection that is newer.
var ErrReconnected = errors.New("reconnected since the entry was read")

// IsRetryable reports whether op may be sent again after its reply was lost. A write may
// not: the server may execute the first request after the second one, and after a later
// Delete. A late placeholder would make the lease valid again that the Delete has ended.
func (op Op) IsRetryable() bool { return !op.IsWrite() || op == OpFlush }

// Item is one key of a request, what to store under it, and the reply.
type Item struct {
	Key    string
	Value  []byte // for reads: memory for the value, used if its capacity is large enough
	Flags  uint32
	Expiry int64 // seconds, in the form of the server
	CAS    uint64
	Number int64

	// Since is when CAS was read, by Clock; 0 to use any connection. A server that was
	// restarted counts anew, and only a connection that is older than CAS proves that the
	// server is as well.
	Since time.Duration

	OK       bool  // found, stored or removed
	Answered bool  // there is a reply or an error
	Err      error // of this item alone
}

// replies returns how many commands the text protocol sends for the item. A command after
// a large value would not be in the same record of TLS: see maxRecord.
func (it *Item) replies(op Op) int {
	if op == OpLease || op == OpGets || op == OpAdd && len(it.Value) <= maxShared || op == OpDelete && it.CAS == 0 {
		return 2
	}
	return 1
}

// Answer sets the reply.
func (it *Item) Answer(ok bool) { it.OK, it.Answered = ok, true }

// Fail sets the error.
func (it *Item) Fail(err error) { it.OK, it.Answered, it.Err = false, true, err }

// failOnServer sets the error of a server, or a proxy, that could not execute op.
func (it *Item) failOnServer(op Op, err error) {
	it.Fail(remote.Outcome(context.Background(), err, op.IsWrite()))
}

// FailUnanswered sets the error of every item that has neither a reply nor an error.
func FailUnanswered(items []Item, err error) {
	for i := range items {
		if !items[i].Answered {
			items[i].Fail(err)
		}
	}
}

// FirstError returns the error of the first item that failed.
func FirstError(items []Item) error {
	for i := range items {
		if items[i].Err != nil {
			return items[i].Err
		}
	}
	return nil
}

// Request is one operation on items of one server.
type Request struct {
	Op    Op
	Items []Item

	stats Stats             // the reply to OpStats
	info  map[string]string // all of it, if this is not nil

	one       [1]Item
	shareable bool // the round trip, with other requests
	protocol  protocol
}

var requests = sync.Pool{New: func() any { return new(Request) }}

// NewRequest returns a request of one item.
func NewRequest(op Op, it Item) *Request {
	r := requests.Get().(*Request)
	r.Op = op
	r.one[0] = it
	r.Items = r.one[:]
	// The memory of a caller who leaves must not be read into, so a request that shares a
	// round trip does not use it. Large memory is for large values, which do not share.
	large := len(it.Value) > maxShared || op == OpGet && cap(it.Value) >= uncopied
	r.shareable = op != OpExpiryTime && !large && it.Since == 0
	return r
}

// Release returns r to a pool. A request that failed may still be in use and must not
// be released.
func (r *Request) Release() {
	*r = Request{}
	requests.Put(r)
}

// reset removes the replies before r is sent again.
func (r *Request) reset() {
	for i := range r.Items {
		r.Items[i].OK, r.Items[i].Answered, r.Items[i].Err = false, false, nil
	}
}

func (r *Request) discard() bool {
	several := len(r.Items) > 1 || len(r.Items) == 1 && r.Items[0].replies(r.Op) > 1
	if several {
		r.reset()
	}
	return several
}

func (r *Request) accepts(c *conn) bool {
	return !slices.ContainsFunc(r.Items, func(it Item) bool { return it.Since != 0 && it.Since < c.dialled })
}

func (r *Request) write(w *writer) { r.protocol.write(w, r) }

func (r *Request) read(in *reader) error {
	in.nextReply()
	return r.protocol.read(in, r)
}

const (
	// chunkKeys and chunkBytes limit one round trip of a batch: timeouts apply to the
	// whole of it, and other clients of the server wait for it.
	chunkKeys  = 1000
	chunkBytes = 8 << 20

	// overhead is more than either protocol adds to keys and a value, and more than the
	// command that ends a round trip.
	overhead = 64
)

// size is an upper limit of the bytes that are sent for the item. For a read, Value is
// memory for the reply.
func (it *Item) size(op Op) int {
	n := overhead + it.replies(op)*len(it.Key)
	if op.IsWrite() {
		n += len(it.Value)
	}
	return n
}

// fit returns how many of items go into one round trip of at most limit bytes. Only a
// single item may exceed it.
func fit(op Op, items []Item, limit int) int {
	n := 0
	for size := overhead; n < len(items) && n < chunkKeys; n++ {
		size += items[n].size(op)
		if n > 0 && size > limit {
			break
		}
	}
	return n
}
