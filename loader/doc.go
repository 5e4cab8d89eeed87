// Package loader loads the values of a cache as a [Policy] says: how long a value is
// fresh, how long a stale one is served while it is loaded again, and what callers get
// if the source fails or is slow. It works over every backend and needs only the
// standard library and package cache.
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
// The age of a value counts from the moment at which its load began. A hit is one round
// trip to the store, two if the load has named tags. The TTL of the entry in the store is
// Fresh + Stale + Rescue, or Missing.
//
//	age                     Get returns                           and
//	below Fresh             the value                             nothing; at the end of Fresh, Early may load behind
//	below Fresh + Stale     the value                             one load runs behind the answer
//	below the sum of all    what the load returns                 the old value if the load fails or exceeds Patience
//	more                    what the load returns, or its error
//
// # Loads
//
// A key is loaded once at a time by a Loader. With [Policy.Lease] it is loaded once at a
// time over all processes, which wait for the entry of the one that loads, or take its
// place when its lease ends. A lease saves loads; it is not a lock.
//
// What a load returns is stored only if the entry is as it was before the load began:
//
//   - A call of Delete, Expire or Refresh of the same Loader ends the load: its value
//     goes to the callers that wait, and is not stored.
//   - A missing key is filled under its lease. A Delete, Set or Clear by any process
//     ends the lease, so that the value is not stored.
//   - An entry that is present is replaced by compare-and-swap. If any process has
//     changed or removed it since, the value is not stored. Refresh changes the entry
//     before its load, so that it ends the loads of other processes too.
//   - [Invalidate] of a tag removes the version of the tag, which the entry contains.
//
// The second point needs [Policy.Lease] and a backend that is a [driver.Leaser]; without
// them the value is stored with Add, also after a Delete by others. The third point needs
// a [driver.Swapper]; without it the value is stored with Set, also after a change by
// others.
//
// A caller that finds no entry while its process loads the key gets the value of that
// load, also if another process has invalidated the key since the load began; the value
// is not stored. A load that reads a replica of its source that lags behind can still return an
// old value.
//
// # Errors and retries
//
// Get returns the error of load as it is. Loads are not retried, except by later
// callers after [Policy.Backoff]. A failure of the store does not fail a Get: the value
// is loaded and not stored. The observer of the cache receives the failure. If the
// context has a deadline, the store may use half of the time that is left, and the load
// gets the rest.
//
// # Expiry
//
// Processes compare the time of a load with their own clocks. If two clocks differ by d,
// an entry of the one is fresh up to d longer or shorter for the other, so that Fresh
// should be much longer than d. An entry that is more than 10 seconds ahead of the clock
// of its reader is stale. The end of an entry does not depend on these clocks, because
// the store removes it. Values that are kept as they are use the monotonic clock.
//
// # Keys and format
//
// The entry of a key is stored under that key. The key "loader-tag:" + tag holds the
// version of a tag for 30 days, and "loader-lease:" + key is leased, and stays absent,
// while an entry is loaded again. An entry is a header before the bytes that the view of
// the values would store. Other readers of the key get [cache.ErrCorrupt], except those
// that accept any bytes: views of []byte and string, and package cache itself. A Loader
// that reads what it has not stored loads the value and replaces the entry.
//
// With [cache.WithoutEncoding] over a backend in the memory of the process, values are
// kept as they are: a fresh hit allocates nothing, and all callers share the value.
//
// # Concurrency
//
// All functions and methods are safe for concurrent use, also from a load. Close must
// not be called by a load, for which it would wait.
package loader
