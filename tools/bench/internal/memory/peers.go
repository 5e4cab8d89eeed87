package memory

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/Yiling-J/theine-go"
	"github.com/allegro/bigcache/v3"
	"github.com/coocood/freecache"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/jellydator/ttlcache/v3"
	"github.com/maypok86/otter/v2"
	gocache "github.com/patrickmn/go-cache"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Peer is one way to keep values in the memory of the process, in the fastest
// configuration in which entries expire and their number is bounded, or the nearest
// that there is.
type Peer struct {
	Name  string
	Lacks string // what it does not offer, or does beyond the others
	bound bound
	open  func(capacity, valueSize int) (store, error)
}

// store is an open peer. Its functions cost every peer the same indirect call.
type store struct {
	get    func(key string) ([]byte, bool)
	set    func(key string, value []byte)
	reader func() func(key string) ([]byte, bool) // instead of get: one for each goroutine
	settle func()                                 // waits until earlier sets are decided; nil if set does
	close  func()
}

// bound is what limits the size of a peer.
type bound int

const (
	unbounded bound = iota
	byEntries
	byBytes
)

// tick is the resolution of a coarse clock, where a peer offers one.
const tick = 5 * time.Millisecond

// Peers are ours, then those of other authors.
var Peers = []Peer{
	{"simple", "nothing: the backend as cache.New gets it", byEntries, openSimple},
	{"simple-view", "nothing: cache.Of[[]byte](c, cache.WithoutEncoding())", byEntries, throughCache(view)},
	{"simple-copy", "shared values: Cache.Get copies", byEntries, throughCache(fresh)},
	{"otter", "expiry: only a maximum size is configured", byEntries, openOtter},
	{"otter-expiry", "nothing: an expiry per entry, the default clock", byEntries, openOtterExpiry},
	{"otter-coarse", "exact expiry: an expiry per entry, off by up to a tick of its coarse clock (5 ms)", byEntries, openOtterCoarse},
	{"theine", "a bound at all times: its policy sees a set a little later", byEntries, openTheine},
	{"ristretto", "sets that stay: drops and rejects some, shows none at once; keys are compared by two hashes", byEntries, openRistretto},
	{"golang-lru", "an expiry per entry: one for all, here ten years; scan resistance", byEntries, openGolangLRU},
	{"ttlcache", "scan resistance; parallel reads: one lock for all", byEntries, openTTLCache},
	{"go-cache", "a bound", unbounded, openGoCache},
	{"bigcache", "an expiry per entry: one for all; a bound in entries; shared values: copies both ways; room for replaced entries, which evict others until the queue comes round", byBytes, openBigCache},
	{"freecache", "a bound in entries; shared values: copies both ways; expiry finer than a second", byBytes, openFreeCache},
	{"sync.Map", "expiry, a bound", unbounded, openSyncMap},
	{"map+RWMutex", "expiry, a bound", unbounded, openLockedMap},
}

// Copiers are those that give the caller bytes of its own, or a string.
var Copiers = append(named("simple-copy", "bigcache", "freecache"),
	Peer{"simple-buffer", "shared values: Cache.GetAppend copies into the caller's buffer", byEntries, throughCache(buffered)},
	Peer{"simple-string", "nothing: cache.Of[string](c)", byEntries, throughCache(text)},
	Peer{"freecache-buffer", "as freecache, reading into the caller's buffer", byBytes, openFreeCacheBuffer},
)

// named returns the peers of these names.
func named(names ...string) []Peer {
	return slices.DeleteFunc(slices.Clone(Peers), func(p Peer) bool { return !slices.Contains(names, p.Name) })
}

func (p Peer) ours() bool { return strings.HasPrefix(p.Name, "simple") }

func (p Peer) lane(open func() (run func(*testing.B), close func(), err error)) measure.Lane {
	return measure.Lane{Peer: p.Name, Lacks: p.Lacks, Ours: p.ours(), Open: open}
}

func openOtter(capacity, _ int) (store, error) {
	return newOtter(&otter.Options[string, []byte]{MaximumSize: capacity}, func() {})
}

func openOtterExpiry(capacity, _ int) (store, error) {
	return newOtter(&otter.Options[string, []byte]{
		MaximumSize:      capacity,
		ExpiryCalculator: otter.ExpiryWriting[string, []byte](workload.Life),
	}, func() {})
}

func openOtterCoarse(capacity, _ int) (store, error) {
	clock := otter.NewCoarseClock(tick)
	return newOtter(&otter.Options[string, []byte]{
		MaximumSize:      capacity,
		ExpiryCalculator: otter.ExpiryWriting[string, []byte](workload.Life),
		Clock:            clock,
	}, clock.Stop)
}

func newOtter(options *otter.Options[string, []byte], stopClock func()) (store, error) {
	c, err := otter.New(options)
	if err != nil {
		return store{}, err
	}
	return store{
		get:    c.GetIfPresent,
		set:    func(key string, value []byte) { c.Set(key, value) },
		settle: c.CleanUp,
		close:  func() { c.StopAllGoroutines(); stopClock() },
	}, nil
}

func openTheine(capacity, _ int) (store, error) {
	c, err := theine.NewBuilder[string, []byte](int64(capacity)).Build()
	if err != nil {
		return store{}, err
	}
	return store{
		get:    c.Get,
		set:    func(key string, value []byte) { c.SetWithTTL(key, value, 1, workload.Life) },
		settle: c.Wait,
		close:  c.Close,
	}, nil
}

func openRistretto(capacity, _ int) (store, error) {
	c, err := ristretto.NewCache(&ristretto.Config[string, []byte]{
		NumCounters:        int64(capacity) * 10, // both as its documentation advises
		BufferItems:        64,
		MaxCost:            int64(capacity),
		IgnoreInternalCost: true,
	})
	if err != nil {
		return store{}, err
	}
	return store{
		get:    c.Get,
		set:    func(key string, value []byte) { c.SetWithTTL(key, value, 1, workload.Life) },
		settle: c.Wait,
		close:  c.Close,
	}, nil
}

// openGolangLRU asks for no expiry and gets ten years, which every read checks. A
// shorter one would start a goroutine that never ends and keeps the cache alive.
func openGolangLRU(capacity, _ int) (store, error) {
	c := expirable.NewLRU[string, []byte](capacity, nil, 0)
	return store{
		get:   c.Get,
		set:   func(key string, value []byte) { c.Add(key, value) },
		close: func() {},
	}, nil
}

func openTTLCache(capacity, _ int) (store, error) {
	c := ttlcache.New(
		ttlcache.WithCapacity[string, []byte](uint64(capacity)),
		ttlcache.WithDisableTouchOnHit[string, []byte](),
	)
	go c.Start()
	return store{
		get: func(key string) ([]byte, bool) {
			item := c.Get(key)
			if item == nil {
				return nil, false
			}
			return item.Value(), true
		},
		set:   func(key string, value []byte) { c.Set(key, value, workload.Life) },
		close: c.Stop,
	}, nil
}

func openGoCache(int, int) (store, error) {
	c := gocache.New(workload.Life, workload.Life)
	return store{
		get:   func(key string) ([]byte, bool) { return asBytes(c.Get(key)) },
		set:   func(key string, value []byte) { c.Set(key, value, workload.Life) },
		close: c.Flush,
	}, nil
}

func openBigCache(capacity, valueSize int) (store, error) {
	const header = 18 // of an entry in its queue
	c, err := bigcache.New(context.Background(), bigcache.Config{
		Shards:             256,
		LifeWindow:         workload.Life,
		CleanWindow:        time.Minute, // without one, each set looks for expired entries
		MaxEntriesInWindow: capacity,
		MaxEntrySize:       workload.KeySize + valueSize + header,
		HardMaxCacheSize:   megabytes(capacity, valueSize),
	})
	if err != nil {
		return store{}, err
	}
	return store{
		get: func(key string) ([]byte, bool) {
			value, err := c.Get(key)
			return value, err == nil
		},
		set:   func(key string, value []byte) { c.Set(key, value) },
		close: func() { c.Close() },
	}, nil
}

func openFreeCache(capacity, valueSize int) (store, error) {
	c, close := newFreeCache(capacity, valueSize)
	return store{
		get: func(key string) ([]byte, bool) {
			value, err := c.Get(unsafeBytes(key))
			return value, err == nil
		},
		set:   func(key string, value []byte) { c.Set(unsafeBytes(key), value, int(workload.Life.Seconds())) },
		close: close,
	}, nil
}

func openFreeCacheBuffer(capacity, valueSize int) (store, error) {
	c, close := newFreeCache(capacity, valueSize)
	return store{
		reader: func() func(string) ([]byte, bool) {
			buffer := make([]byte, valueSize)
			return func(key string) ([]byte, bool) {
				value, err := c.GetWithBuf(unsafeBytes(key), buffer)
				return value, err == nil
			}
		},
		set:   func(key string, value []byte) { c.Set(unsafeBytes(key), value, int(workload.Life.Seconds())) },
		close: close,
	}, nil
}

func newFreeCache(capacity, valueSize int) (*freecache.Cache, func()) {
	clock := freecache.NewCachedTimer()
	return freecache.NewCacheCustomTimer(megabytes(capacity, valueSize)<<20, clock), clock.Stop
}

// megabytes is a bound in bytes that holds capacity entries: room for the peer's
// own header, a quarter for shards of unequal load, and enough for a few large
// entries that fall into one of 256 shards.
func megabytes(capacity, valueSize int) int {
	const header = 32
	return max(capacity*(workload.KeySize+valueSize+header)*5/4>>20, 3) + 1
}

func openSyncMap(int, int) (store, error) {
	var m sync.Map
	return store{
		get:   func(key string) ([]byte, bool) { return asBytes(m.Load(key)) },
		set:   func(key string, value []byte) { m.Store(key, value) },
		close: m.Clear,
	}, nil
}

func openLockedMap(int, int) (store, error) {
	var mu sync.RWMutex
	m := map[string][]byte{}
	return store{
		get: func(key string) ([]byte, bool) {
			mu.RLock()
			value, ok := m[key]
			mu.RUnlock()
			return value, ok
		},
		set: func(key string, value []byte) {
			mu.Lock()
			m[key] = value
			mu.Unlock()
		},
		close: func() {},
	}, nil
}

func asBytes(value any, ok bool) ([]byte, bool) {
	b, _ := value.([]byte)
	return b, ok
}

// unsafeBytes spares freecache, which only reads its keys, a copy of key.
func unsafeBytes(key string) []byte { return unsafe.Slice(unsafe.StringData(key), len(key)) }
