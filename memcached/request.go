package memcached

import "sync"

// verb is what a request asks of the server, for each of its items.
type verb uint8

const (
	vGet    verb = iota // value and flags
	vGets               // the same and cas
	vLook               // flags and expiry, without the value
	vDate               // of one item: expiry as a date by the server's clock, and cas
	vSet                // store
	vAdd                // store where the key is absent
	vSwap               // store where cas is still that of the item
	vCount              // add number where cas is still that of the item; the sum is number
	vDelete             // remove; where cas is not 0, only what still has it
	vPing               // of no item
	vFlush              // of no item: empty the server
)

// isWrite reports whether v changes something.
func (v verb) isWrite() bool {
	switch v {
	case vGet, vGets, vLook, vDate, vPing:
		return false
	}
	return true
}

// isRepeatable reports whether v may be sent again when its answer was lost: it
// does no harm, and the second answer means what the first would have meant.
func (v verb) isRepeatable() bool { return !v.isWrite() || v == vSet || v == vFlush }

// item is one key of a request, what is to be stored there, and the answer.
type item struct {
	key    string
	value  []byte // of vGet: room for it, where the size is known
	flags  uint32
	expiry int64 // seconds, as the server takes and gives them; see expiryOf
	cas    uint64
	number int64

	ok   bool  // found, stored, removed: the verb did what it is for
	seen bool  // there is an answer, be it ok, not, or err
	err  error // of this item alone
}

func (it *item) answer(ok bool) { it.ok, it.seen = ok, true }

func (it *item) fail(err error) { it.ok, it.seen, it.err = false, true, err }

// request is one exchange with one server.
type request struct {
	verb  verb
	items []item
	one   [1]item
}

var requests = sync.Pool{New: func() any { return new(request) }}

// newRequest returns a request of one item.
func newRequest(v verb, it item) *request {
	r := requests.Get().(*request)
	r.verb = v
	r.one[0] = it
	r.items = r.one[:]
	return r
}

// release lets r be used again. It must not be called where the exchange may
// still be under way.
func (r *request) release() {
	*r = request{}
	requests.Put(r)
}

// forget takes back the answers, before r is sent again.
func (r *request) forget() {
	for i := range r.items {
		r.items[i].ok, r.items[i].seen, r.items[i].err = false, false, nil
	}
}
