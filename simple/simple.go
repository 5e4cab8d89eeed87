package simple

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Backend is a [driver.Backend] in the memory of the process. It is safe for
// concurrent use. It keeps the slices that Set and Add receive, and Get returns
// them: no caller may modify them. cache.Cache makes the necessary copies.
type Backend struct {
	hasher hasher
	byHash [maxShards]*shard // indexed by the top bits of a hash; repeats if there are fewer shards
	shards []shard
	clock  clock
	reaper reaper
	limit  int64 // entries beyond the one that is reserved for each shard
	room   *room

	mostUnits uint32                // of an entry
	weight    func(value any) int64 // Options.Weight
}

const (
	maxShardBits = 4
	maxShards    = 1 << maxShardBits
	// minShare is the fewest entries of a shard, so that eviction in a small cache
	// considers all entries. The hit ratio permits less: under Zipf's distribution
	// (s = 1.01, 2,000 entries) shards of 250 entries lose nothing and shards of 125
	// lose 0.1 % of the hits.
	minShare = 1000
	// minShareBytes is the same for a bound in bytes: 8,000 entries of 1 KB.
	minShareBytes = 8 << 20
)

// New returns an empty cache. It does not use ctx. An invalid Threshold or MaxBytes is
// [driver.ErrInvalidSettings].
func New(_ context.Context, o Options) (*Backend, error) {
	if o.MaxBytes > 0 && o.Threshold == 0 {
		o.Threshold = NoLimit
	}
	if err := driver.Complete(&o); err != nil {
		return nil, fmt.Errorf("simple: %w", err)
	}
	entries := int64(o.Threshold)
	if o.Threshold == NoLimit {
		entries = math.MaxInt
	}
	shards := int64(1)
	for shards < maxShards && entries/(2*shards) >= minShare && (o.MaxBytes == 0 || o.MaxBytes/(2*shards) >= minShareBytes) {
		shards *= 2
	}
	share := entries / shards
	if o.MaxBytes > 0 {
		share = max(1, min(share, o.MaxBytes/shards/overhead))
	}
	b := &Backend{
		hasher: newHasher(),
		shards: make([]shard, shards),
		limit:  entries - shards,
		room:   &room{counted: entries < math.MaxInt, maxBytes: o.MaxBytes, share: o.MaxBytes / shards, mostSpare: o.MaxBytes / shards / spareParts},
		weight: o.Weight,

		mostUnits: math.MaxUint32,
	}
	if o.MaxBytes > 0 {
		b.mostUnits = uint32(min(o.MaxBytes/unit, math.MaxUint32-1)) // an entry of MaxUint32 may be heavier
	}
	b.clock.base = time.Now()
	b.clock.horizon.Store(noHorizon)
	b.reaper.due.Store(never)
	b.room.shards = b.shards
	b.room.reset(b.limit)
	for i := range b.shards {
		s := &b.shards[i]
		s.clock, s.room, s.expect, s.share = &b.clock, b.room, b.expect, int(share)
		s.reset()
	}
	for i := range b.byHash {
		b.byHash[i] = &b.shards[i%len(b.shards)]
	}
	return b, nil
}

// Get returns the bytes of key, which the caller must not modify. An entry stored
// by SetValue or AddValue is [driver.ErrCorrupt].
func (b *Backend) Get(_ context.Context, key string) ([]byte, bool, error) {
	hash := b.hasher.hash(key)
	n := b.shard(hash).table.Load().guess(hash).Load()
	// The fast path of nearly every hit avoids the call of find.
	if n == nil || !same(n.key, key) || b.clock.near(n.deadline) {
		var err error
		if n, err = b.find(hash, key); n == nil {
			return nil, false, err
		}
	}
	value, ok := n.bytes()
	if !ok {
		return nil, false, errNotBytes
	}
	n.used()
	return value, true, nil
}

// GetValue returns the Go value of key. An entry stored as bytes is
// [driver.ErrCorrupt].
func (b *Backend) GetValue(_ context.Context, key string) (any, bool, error) {
	hash := b.hasher.hash(key)
	n := b.shard(hash).table.Load().guess(hash).Load()
	if n == nil || !same(n.key, key) || b.clock.near(n.deadline) {
		var err error
		if n, err = b.find(hash, key); n == nil {
			return nil, false, err
		}
	}
	if n.isBytes() {
		return nil, false, errNotValue
	}
	n.used()
	return n.value, true, nil
}

var (
	errNotBytes = fmt.Errorf("%w: the entry is a Go value, not bytes", driver.ErrCorrupt)
	errNotValue = fmt.Errorf("%w: the entry is bytes, not a Go value", driver.ErrCorrupt)
)

// find returns the live node of key, or nil. It takes no lock.
func (b *Backend) find(hash uint64, key string) (*node, error) {
	n, _, _, err := b.shard(hash).find(hash, key)
	if n == nil || b.clock.passed(n.deadline) {
		return nil, err
	}
	return n, nil
}

// Has reports whether key is present. It does not count as a use of the entry.
func (b *Backend) Has(_ context.Context, key string) (bool, error) {
	n, err := b.find(b.hasher.hash(key), key)
	return n != nil, err
}

func (b *Backend) shard(hash uint64) *shard { return b.byHash[hash>>(64-maxShardBits)] }

// Set stores value under key. It keeps the slice.
func (b *Backend) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	n := &node{key: key, deadline: b.clock.deadline(ttl)}
	n.setBytes(value)
	return b.set(n)
}

// SetValue stores value under key without encoding it.
func (b *Backend) SetValue(_ context.Context, key string, value any, ttl time.Duration) error {
	return b.set(b.valueNode(key, value, ttl))
}

// valueNode returns the node of a Go value.
func (b *Backend) valueNode(key string, value any, ttl time.Duration) *node {
	n := &node{key: key, value: value, deadline: b.clock.deadline(ttl)}
	if b.weight != nil {
		n.weigh(b.weight(value))
	} else {
		n.weigh(valueWeight)
	}
	return n
}

func (b *Backend) set(n *node) error {
	hash := b.hasher.hash(n.key)
	n.hash = uint32(hash)
	s := b.shard(hash)
	// The fast path for a key that is present, as in Get.
	t := s.table.Load()
	slot := t.guess(hash)
	if old := slot.Load(); old != nil && same(old.key, n.key) && n.units <= b.mostUnits && s.replace(t, slot, old, n) {
		return nil
	}
	_, err := b.update(hash, n, func(*node) (bool, error) { return true, nil })
	return err
}

// Add stores value under key if key is absent. It keeps the slice.
func (b *Backend) Add(_ context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	n := &node{key: key, deadline: b.clock.deadline(ttl)}
	n.setBytes(value)
	return b.add(n)
}

// AddValue stores value under key without encoding it if key is absent.
func (b *Backend) AddValue(_ context.Context, key string, value any, ttl time.Duration) (bool, error) {
	return b.add(b.valueNode(key, value, ttl))
}

func (b *Backend) add(n *node) (bool, error) {
	return b.update(b.hasher.hash(n.key), n, func(old *node) (bool, error) { return old == nil, nil })
}

// CompareAndSwap replaces the value and the expiry of key if its bytes equal old. It
// keeps the slice of value. A Go value equals no bytes.
func (b *Backend) CompareAndSwap(_ context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	n := &node{key: key, deadline: b.clock.deadline(ttl)}
	n.setBytes(value)
	return b.update(b.hasher.hash(key), n, func(present *node) (bool, error) {
		if present == nil {
			return false, nil
		}
		stored, ok := present.bytes()
		return ok && bytes.Equal(stored, old), nil
	})
}

// CompareAndSwapValue is CompareAndSwap for Go values, which it compares with ==. Bytes
// equal no Go value.
func (b *Backend) CompareAndSwapValue(_ context.Context, key string, old, value any, ttl time.Duration) (bool, error) {
	n := b.valueNode(key, value, ttl)
	return b.update(b.hasher.hash(key), n, func(present *node) (bool, error) {
		return present != nil && !present.isBytes() && present.value == old, nil
	})
}

// update stores n if accept, which receives the live node of the key or nil, returns
// true, and reports whether it did. If another goroutine changes the entry meanwhile,
// update calls accept again.
func (b *Backend) update(hash uint64, n *node, accept func(old *node) (bool, error)) (bool, error) {
	n.hash = uint32(hash)
	s := b.shard(hash)
	for {
		done := false
		old, slot, t, err := s.find(hash, n.key)
		if err != nil {
			return false, err
		}
		if n.units > b.mostUnits {
			return false, b.tooLarge(n)
		}
		live := old
		if old != nil && b.clock.passed(old.deadline) {
			live = nil
		}
		if ok, err := accept(live); !ok || err != nil {
			return false, err
		}
		if old != nil {
			done = s.replace(t, slot, old, n)
		} else {
			done, err = s.insert(n, hash)
		}
		if done || err != nil {
			return done, err
		}
	}
}

// Delete removes key and reports whether it was present.
func (b *Backend) Delete(_ context.Context, key string) (bool, error) {
	hash := b.hasher.hash(key)
	n, err := b.shard(hash).delete(hash, key)
	return n != nil && !b.clock.passed(n.deadline), err
}

// Clear removes every entry in one step. Its cost does not depend on the number of
// entries.
func (b *Backend) Clear(context.Context) error {
	defer b.lockAll()()
	if b.shards[0].table.Load() == closedTable {
		return driver.ErrClosed
	}
	for i := range b.shards {
		b.shards[i].reset()
	}
	b.room.reset(b.limit)
	return nil
}

// ClearPrefix removes the entries whose key begins with prefix. It compares every
// key and blocks the writers of one shard at a time.
func (b *Backend) ClearPrefix(_ context.Context, prefix string) error {
	for i := range b.shards {
		if err := b.shards[i].clearPrefix(prefix); err != nil {
			return err
		}
	}
	return nil
}

// Close releases the memory. It always returns nil.
func (b *Backend) Close() error {
	unlock := b.lockAll()
	for i := range b.shards {
		b.shards[i].close()
	}
	b.room.reset(b.limit) // so that nobody waits for room
	unlock()
	b.clock.close()
	b.reaper.stop()
	return nil
}

// lockAll locks all shards until the returned function is called.
func (b *Backend) lockAll() (unlock func()) {
	for i := range b.shards {
		b.shards[i].mu.Lock()
	}
	return func() {
		for i := range b.shards {
			b.shards[i].mu.Unlock()
		}
	}
}

var (
	_ driver.Backend       = (*Backend)(nil)
	_ driver.Haser         = (*Backend)(nil)
	_ driver.Counter       = (*Backend)(nil)
	_ driver.PrefixClearer = (*Backend)(nil)
	_ driver.TTLer         = (*Backend)(nil)
	_ driver.LifeGetter    = (*Backend)(nil)
	_ driver.Stater        = (*Backend)(nil)
	_ driver.ValueKeeper   = (*Backend)(nil)
	_ driver.Leaser        = (*Backend)(nil)
	_ driver.ValueLeaser   = (*Backend)(nil)
	_ driver.Swapper       = (*Backend)(nil)
	_ driver.ValueSwapper  = (*Backend)(nil)
)
