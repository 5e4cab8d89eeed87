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
	"github.com/maypok86/otter/v2"
	gocache "github.com/patrickmn/go-cache"
	"github.com/viccon/sturdyc"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// peer is one way to keep values in the memory of the process, in the fastest
// configuration in which entries expire and their number is bounded, or the nearest
// that there is.
type peer struct {
	name  string
	lacks string // what it does not offer, or does beyond the others
	bound bound
	open  func(capacity, valueSize int) store
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
	byShard // shards, which fill unequally, have bounds of their own: twice the capacity holds all
	byBytes
)

// peers are ours, then those of other authors.
var peers = []peer{
	{"simple", "nothing: the backend as cache.New gets it", byEntries, openSimple},
	{"simple-view", "nothing: `cache.Of[[]byte](c, cache.WithoutEncoding())`", byEntries, throughCache(view)},
	{"simple-string", "nothing: `cache.Of[string](c)`", byEntries, throughCache(text)},
	{"simple-copy", "shared values: Cache.Get copies", byEntries, throughCache(fresh)},
	{"otter", "expiry: only a maximum size is configured", byEntries, openOtter(nil)},
	{"otter-expiry", "nothing: an expiry per entry", byEntries, openOtter(otter.ExpiryWriting[string, []byte](workload.Life))},
	{"theine", "a bound at all times: its policy sees a set a little later", byEntries, openTheine},
	{"ristretto", "sets that stay: drops and rejects some, shows none at once; keys are compared by two hashes", byEntries, openRistretto},
	{"golang-lru", "an expiry per entry: one for all, here ten years; scan resistance", byEntries, openGolangLRU},
	{"go-cache", "a bound", unbounded, openGoCache},
	{"bigcache", "an expiry per entry: one for all; a bound in entries; shared values: copies both ways; room for replaced entries, which evict others until the queue comes round", byBytes, openBigCache},
	{"freecache", "a bound in entries; shared values: copies both ways; expiry finer than a second", byBytes, openFreeCache},
	{"sync.Map", "expiry, a bound", unbounded, openSyncMap},
	{"map+RWMutex", "expiry, a bound", unbounded, openLockedMap},
}

// copiers are those that give the caller bytes of its own, or a string, and simple to
// compare with.
var copiers = append(slices.DeleteFunc(slices.Clone(peers), func(p peer) bool {
	return !slices.Contains([]string{"simple", "simple-copy", "simple-string", "bigcache", "freecache"}, p.name)
}),
	peer{"simple-buffer", "shared values: Cache.GetAppend copies into the caller's buffer", byEntries, throughCache(buffered)},
	peer{"freecache-buffer", "as freecache, reading into the caller's buffer", byBytes, openFreeCacheBuffer},
)

// loaders are those that load what is missing, and a view to compare with.
var loaders = append(slices.DeleteFunc(slices.Clone(peers), func(p peer) bool { return p.name != "simple-view" }),
	peer{"simple-loader", "nothing: loader.New(c, policy, load, cache.WithoutEncoding())", byEntries, throughCache(loading)},
	peer{"simple-GetOrSet", "old values while one is loaded", byEntries, throughCache(getOrSet)},
	peer{"otter-loader", "nothing: Cache.Get with an expiry per entry", byEntries, openOtterLoader},
	peer{"sturdyc", "nothing: Client.GetOrFetch with early refreshes", byShard, openSturdyc},
)

func (p peer) ours() bool { return strings.HasPrefix(p.name, "simple") }

func (p peer) lane(open func() (run func(*testing.B), close func(), err error)) measure.Lane {
	return measure.Lane{Peer: p.name, Lacks: p.lacks, Ours: p.ours(), Open: open}
}

// must panics if the configuration of a peer is wrong.
func must[T any](cache T, err error) T {
	if err != nil {
		panic(err)
	}
	return cache
}

func openOtter(expiry otter.ExpiryCalculator[string, []byte]) func(capacity, _ int) store {
	return func(capacity, _ int) store {
		c := must(otter.New(&otter.Options[string, []byte]{MaximumSize: capacity, ExpiryCalculator: expiry}))
		return store{
			get:    c.GetIfPresent,
			set:    func(key string, value []byte) { c.Set(key, value) },
			settle: c.CleanUp,
			close:  func() { c.StopAllGoroutines() },
		}
	}
}

func openOtterLoader(capacity, _ int) store {
	c := must(otter.New(&otter.Options[string, []byte]{
		MaximumSize:       capacity,
		ExpiryCalculator:  otter.ExpiryWriting[string, []byte](workload.Life),
		RefreshCalculator: otter.RefreshWriting[string, []byte](workload.Life / 2),
	}))
	load := otter.LoaderFunc[string, []byte](func(context.Context, string) ([]byte, error) { return nil, otter.ErrNotFound })
	return store{
		get:    func(key string) ([]byte, bool) { return found(c.Get(ctx, key, load)) },
		set:    func(key string, value []byte) { c.Set(key, value) },
		settle: c.CleanUp,
		close:  func() { c.StopAllGoroutines() },
	}
}

func openSturdyc(capacity, _ int) store {
	const shards, evictedPercent = 16, 10
	c := sturdyc.New[[]byte](2*capacity, shards, workload.Life, evictedPercent, sturdyc.WithNoContinuousEvictions(),
		sturdyc.WithEarlyRefreshes(workload.Life/4, workload.Life/2, workload.Life, time.Second))
	load := func(context.Context) ([]byte, error) { return nil, sturdyc.ErrNotFound }
	return store{
		get:   func(key string) ([]byte, bool) { return found(c.GetOrFetch(ctx, key, load)) },
		set:   func(key string, value []byte) { c.Set(key, value) },
		close: func() {},
	}
}

func openTheine(capacity, _ int) store {
	c := must(theine.NewBuilder[string, []byte](int64(capacity)).Build())
	set := func(key string, value []byte) { c.SetWithTTL(key, value, 1, workload.Life) }
	return store{get: c.Get, set: set, settle: c.Wait, close: c.Close}
}

func openRistretto(capacity, _ int) store {
	c := must(ristretto.NewCache(&ristretto.Config[string, []byte]{
		NumCounters:        int64(capacity) * 10, // both as its documentation advises
		BufferItems:        64,
		MaxCost:            int64(capacity),
		IgnoreInternalCost: true,
	}))
	set := func(key string, value []byte) { c.SetWithTTL(key, value, 1, workload.Life) }
	return store{get: c.Get, set: set, settle: c.Wait, close: c.Close}
}

// openGolangLRU asks for no expiry and gets ten years, which every read checks. A
// shorter one would start a goroutine that never ends and keeps the cache alive.
func openGolangLRU(capacity, _ int) store {
	c := expirable.NewLRU[string, []byte](capacity, nil, 0)
	return store{get: c.Get, set: func(key string, value []byte) { c.Add(key, value) }, close: func() {}}
}

func openGoCache(int, int) store {
	c := gocache.New(workload.Life, workload.Life)
	return store{
		get:   func(key string) ([]byte, bool) { return asBytes(c.Get(key)) },
		set:   func(key string, value []byte) { c.Set(key, value, workload.Life) },
		close: c.Flush,
	}
}

func openBigCache(capacity, valueSize int) store {
	const header = 18 // of an entry in its queue
	c := must(bigcache.New(context.Background(), bigcache.Config{
		Shards:             256,
		LifeWindow:         workload.Life,
		CleanWindow:        time.Minute, // without one, each set looks for expired entries
		MaxEntriesInWindow: capacity,
		MaxEntrySize:       workload.KeySize + valueSize + header,
		HardMaxCacheSize:   megabytes(capacity, valueSize),
	}))
	return store{
		get:   func(key string) ([]byte, bool) { return found(c.Get(key)) },
		set:   func(key string, value []byte) { c.Set(key, value) },
		close: func() { c.Close() },
	}
}

func openFreeCache(capacity, valueSize int) store {
	c, s := newFreeCache(capacity, valueSize)
	s.get = func(key string) ([]byte, bool) { return found(c.Get(unsafeBytes(key))) }
	return s
}

func openFreeCacheBuffer(capacity, valueSize int) store {
	c, s := newFreeCache(capacity, valueSize)
	s.reader = func() func(string) ([]byte, bool) {
		buffer := make([]byte, valueSize)
		return func(key string) ([]byte, bool) { return found(c.GetWithBuf(unsafeBytes(key), buffer)) }
	}
	return s
}

func newFreeCache(capacity, valueSize int) (*freecache.Cache, store) {
	clock := freecache.NewCachedTimer()
	c := freecache.NewCacheCustomTimer(megabytes(capacity, valueSize)<<20, clock)
	set := func(key string, value []byte) { c.Set(unsafeBytes(key), value, int(workload.Life.Seconds())) }
	return c, store{set: set, close: clock.Stop}
}

// megabytes is a bound in bytes that holds capacity entries: room for the peer's
// own header, a quarter for shards of unequal load, and enough for a few large
// entries that fall into one of 256 shards.
func megabytes(capacity, valueSize int) int {
	const header = 32
	return max(capacity*(workload.KeySize+valueSize+header)*5/4>>20, 3) + 1
}

func openSyncMap(int, int) store {
	var m sync.Map
	get := func(key string) ([]byte, bool) { return asBytes(m.Load(key)) }
	return store{get: get, set: func(key string, value []byte) { m.Store(key, value) }, close: m.Clear}
}

func openLockedMap(int, int) store {
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
	}
}

func found(value []byte, err error) ([]byte, bool) { return value, err == nil }

func asBytes(value any, ok bool) ([]byte, bool) {
	b, _ := value.([]byte)
	return b, ok
}

// unsafeBytes saves the copy of a text that is only read.
func unsafeBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
