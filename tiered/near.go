package tiered

import (
	"context"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// nearStore is the near store and the calls of far that are under way.
//
// The rule: an entry is stored near only if nothing can have changed its key in far
// since the call of far began that returned or stored its value. Changes are the writes
// through this Backend and the notices of the Watcher. Each call is registered under
// its key before it begins, and a change marks the calls of its key. So the memory for
// this is bounded by the number of calls under way, and a change of one key does not
// concern another one.
type nearStore struct {
	store  driver.Backend
	ops    *driver.Operations // store, with fallbacks
	values driver.ValueKeeper // store, if it keeps Go values; else nil
	prefix string             // of the keys that may be kept

	// usable reports whether reads may be answered and entries stored: it is allowed
	// and the store is not damaged. It is false after damage at once; other changes are
	// made with all stripes locked.
	usable  atomic.Bool
	damaged atomic.Bool // an entry could not be removed

	// Changed with all stripes locked, read with one of them locked.
	allowed bool
	clears  int // calls that remove many entries, under way

	seed    maphash.Seed
	stripes [64]stripe
}

// stripe has the keys with one part of the hashes. Entries of these keys are stored and
// removed with mu locked.
type stripe struct {
	mu   sync.Mutex
	keys map[string]activity
	_    [64 - 16]byte // separate cache lines
}

// activity describes the calls of far that are under way for one key.
type activity struct {
	calls   int
	writes  int // among them
	changes int // since the first of these calls began
}

// call is one call of far for one key, from begin to end.
type call struct {
	near    *nearStore
	stripe  *stripe
	key     string
	isWrite bool
	changes int // when it began

	keeps bool // value may be stored near, for life
	value []byte
	life  time.Duration
}

func newNearStore(store driver.Backend, prefix string, allowed bool) *nearStore {
	n := &nearStore{store: store, ops: driver.Resolve(store), prefix: prefix, allowed: allowed, seed: maphash.MakeSeed()}
	n.values, _ = store.(driver.ValueKeeper)
	n.usable.Store(allowed)
	for i := range n.stripes {
		n.stripes[i].keys = make(map[string]activity)
	}
	return n
}

// get returns the bytes of key, if they are near.
func (n *nearStore) get(ctx context.Context, key string) ([]byte, bool) {
	if !n.usable.Load() {
		return nil, false
	}
	value, ok, err := n.store.Get(ctx, key)
	return value, ok && err == nil
}

// getAppend appends the bytes of key to dst, if they are near.
func (n *nearStore) getAppend(ctx context.Context, key string, dst []byte) ([]byte, bool) {
	if !n.usable.Load() {
		return dst, false
	}
	extended, ok, err := n.ops.GetAppend(ctx, key, dst)
	return extended, ok && err == nil
}

// has reports whether key is near.
func (n *nearStore) has(ctx context.Context, key string) bool {
	if !n.usable.Load() {
		return false
	}
	ok, err := n.ops.Has(ctx, key)
	return ok && err == nil
}

func (n *nearStore) stripe(key string) *stripe {
	return &n.stripes[maphash.String(n.seed, key)%uint64(len(n.stripes))]
}

// beginRead registers a read of far. The caller defers end.
func (n *nearStore) beginRead(key string) call {
	if n.damaged.Load() {
		n.repair()
	}
	return n.begin(key, false)
}

// beginReads is beginRead for several keys. The caller defers endAll.
func (n *nearStore) beginReads(keys []string) []call {
	reads := make([]call, len(keys))
	for i, key := range keys {
		reads[i] = n.beginRead(key)
	}
	return reads
}

// beginWrite registers a write of far, and removes the entry of its key. Until the
// write ends, no entry of this key is stored near: what others read meanwhile may be
// the old value or the new one. The caller defers end.
func (n *nearStore) beginWrite(key string) call { return n.begin(key, true) }

func (n *nearStore) begin(key string, isWrite bool) call {
	s := n.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.keys[key]
	a.calls++
	if isWrite {
		a.writes++
		n.remove(key)
	}
	s.keys[key] = a
	return call{near: n, stripe: s, key: key, isWrite: isWrite, changes: a.changes}
}

// keep makes end store value, which the call has returned or stored, unless the key has
// changed since the call began. With a life of 0 the value never expires.
func (c *call) keep(value []byte, life time.Duration) {
	c.keeps, c.value, c.life = true, value, life
}

// end ends the call. It is deferred, because far may panic.
func (c *call) end() {
	n, s := c.near, c.stripe
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.keys[c.key]
	a.calls--
	if c.isWrite {
		a.writes--
	}
	if c.keeps && a.writes == 0 && a.changes == c.changes {
		n.put(c.key, c.value, c.life)
	}
	if c.isWrite {
		a.changes++
	}
	if s.keys[c.key] = a; a.calls == 0 {
		delete(s.keys, c.key)
	}
}

func endAll(calls []call) {
	for i := range calls {
		calls[i].end()
	}
}

// changed removes the entry of key after a notice.
func (n *nearStore) changed(key string) {
	if !strings.HasPrefix(key, n.prefix) {
		return
	}
	s := n.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, active := s.keys[key]; active {
		a.changes++
		s.keys[key] = a
	}
	n.remove(key)
}

// put stores an entry. The caller holds the lock of the key's stripe.
func (n *nearStore) put(key string, value []byte, life time.Duration) {
	if !n.usable.Load() || n.clears > 0 || !strings.HasPrefix(key, n.prefix) {
		return
	}
	if n.store.Set(context.Background(), key, value, life) != nil {
		n.remove(key)
	}
}

// remove removes an entry. The context of a caller, which may be done, does not matter.
// The caller holds the lock of the key's stripe.
func (n *nearStore) remove(key string) {
	if _, err := n.store.Delete(context.Background(), key); err != nil {
		n.damage()
	}
}

// damage stops the use of the store until it has been emptied.
func (n *nearStore) damage() {
	n.usable.Store(false)
	n.damaged.Store(true)
}

// reset removes all entries, and permits or forbids new ones. Calls that are under way
// store nothing.
func (n *nearStore) reset(allowed bool) {
	defer n.lockAll()()
	n.allowed = allowed
	n.usable.Store(false)
	n.markAll()
	n.empty("")
}

// repair tries again to empty the store, after an entry could not be removed.
func (n *nearStore) repair() {
	defer n.lockAll()()
	if n.damaged.Load() {
		n.empty("")
	}
}

// beginClear registers a call of far that removes the entries with prefix, and removes
// them near. The caller defers endClear.
func (n *nearStore) beginClear(prefix string) {
	defer n.lockAll()()
	n.clears++
	n.empty(prefix)
}

func (n *nearStore) endClear() {
	defer n.lockAll()()
	n.clears--
	n.markAll()
}

// empty removes the entries with prefix. The caller holds all locks.
func (n *nearStore) empty(prefix string) {
	err := n.clear(prefix)
	if err != nil {
		n.damage()
		return
	}
	if prefix == "" {
		n.damaged.Store(false)
	}
	n.usable.Store(n.allowed && !n.damaged.Load())
}

func (n *nearStore) clear(prefix string) error {
	if prefix != "" {
		err := n.ops.ClearPrefix(context.Background(), prefix)
		if !driver.IsUnsupported(err) {
			return err
		}
	}
	return n.store.Clear(context.Background())
}

// markAll marks all calls under way as changed. The caller holds all locks.
func (n *nearStore) markAll() {
	for i := range n.stripes {
		keys := n.stripes[i].keys
		for key, a := range keys {
			a.changes++
			keys[key] = a
		}
	}
}

// lockAll locks all stripes until the returned function is called.
func (n *nearStore) lockAll() (unlock func()) {
	for i := range n.stripes {
		n.stripes[i].mu.Lock()
	}
	return func() {
		for i := range n.stripes {
			n.stripes[i].mu.Unlock()
		}
	}
}
