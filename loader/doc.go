// Package loader loads the values of a cache by a [Policy]. The policy sets how long a
// value is fresh, how long a stale value is served while it is loaded again in the
// background, and how long an old value is served if the source fails or is slow. The
// package works over every backend. It requires only the standard library and package
// cache.
//
//	users := loader.New(c, loader.Policy{
//		Fresh:  time.Minute,
//		Stale:  10 * time.Minute,
//		Rescue: time.Hour,
//		Lease:  10 * time.Second,
//	}, func(ctx context.Context, id string) (User, error) { ... })
//	defer users.Close()
//	user, err := users.Get(ctx, "42")
//
// # Phases
//
// The age of a value is the time since its load began. A hit is one round
// trip to the store, two if the load has named tags. The TTL of the entry in the store is
// Fresh + Stale + Rescue, or Missing.
//
//	age                     Get returns                           and
//	below Fresh             the value                             nothing; near the end of Fresh, Early may start a load in the background
//	below Fresh + Stale     the value                             one load runs in the background
//	below the sum of all    the result of a load                  the old value if the load fails or exceeds Patience
//	more                    the result of a load                  nothing
//
// # Loads
//
// A Loader runs one load per key at a time.
//
// The value of a load is stored only if the entry has not changed since the load began:
//
//   - A call of Delete, Expire or Refresh of the same Loader ends the load: its value is
//     returned to the callers that wait, and is not stored.
//   - If the key is absent, its value is stored under the lease of the key. A Delete, Set
//     or Clear by any process ends the lease, and the value is not stored.
//   - If an entry is present, it is replaced by compare-and-swap. If any process has
//     changed or removed it, the value is not stored. Refresh changes the entry before its
//     load, and so ends the loads of other processes. If several Refreshes of a key run at
//     once, the value of the last one stays, and none leaves a value from before itself.
//   - [Invalidate] of a tag removes the version of the tag. An entry with another version
//     is not served.
//
// The second point requires [Policy.Lease] and a backend that is a [driver.Leaser].
// Without them the value is stored with Add, even after a Delete by another process. The
// third point requires a [driver.Swapper]. Without it the value is stored with Set, even
// after a change by another process. Set also replaces a value of other code that the cache
// cannot read.
//
// A caller that finds no entry while its process loads the key gets the value of that
// load. If another process has invalidated the key since the load began, the value is not
// stored. A load that reads a lagging replica of its source may return an old value.
//
// # Leases
//
// With [Policy.Lease], one process at a time loads a key. The others wait for its entry.
// If the lease ends first, one of them loads the key. A lease saves loads; it is not a
// lock.
//
// # Errors and retries
//
// Get returns the error of load unchanged. A failed load is not retried; after
// [Policy.Backoff], the next caller starts a new one. A failure of the store does not fail
// a Get: the value is loaded and not stored, and the observer of the cache receives the
// failure. If the context has a deadline, the store may use half of the remaining time,
// and the load gets the rest.
//
// The observer of the cache also receives an event for each load ([cache.OpLoad]), for each
// caller that waits for the load of another ([cache.OpWait]), and for each answer past the
// Fresh phase ([cache.OpStale]). Loads and waits are spans of its tracer.
//
// # Expiry
//
// Each process compares the time of a load with its own clock. If the clocks of two
// processes differ by d, an entry is fresh up to d longer or shorter, so Fresh should be
// much longer than d. If an entry is more than 10 seconds ahead of the clock of its reader,
// it is stale. The store removes an entry at the end of its TTL, whatever these clocks
// say. Values without encoding use the monotonic clock.
//
// # Concurrency
//
// All functions and methods are safe for concurrent use, also from a load. A load must not
// call Close, which waits for it.
//
// With [cache.WithoutEncoding] over a backend in the memory of the process, all callers
// share the value, and a fresh hit allocates nothing. Otherwise each caller owns the value
// that it gets.
//
// # Wire format
//
// The entry of a key is stored under that key. The key "loader-tag:" + tag has the version
// of a tag for 30 days. The key "loader-lease:" + key is leased while an entry is loaded
// again; it stays absent. If key is longer than 128 bytes, its SHA-256 in hex is used, so
// that the key of the lease is not too long for the store.
//
// An entry is a header, followed by the bytes that a view would store. Other readers of
// the key get [cache.ErrCorrupt], except those that accept any bytes: views of []byte and
// string, and package cache itself. If a Loader reads a value that other code stored, it
// loads the value and replaces the entry. [cache.WithIgnoreErrors] hides a value that the
// cache cannot read: one that its [cache.UniversalCodec] cannot decode, or one that is not
// an entry where entries are kept without encoding. It is replaced only with [Policy.Lease].
package loader
