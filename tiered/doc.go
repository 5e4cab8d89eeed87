// Package tiered is a cache backend of two stores: near, in the memory of the process,
// and far, usually a server that several processes share. Reads are answered from near
// if it has the entry, and from far otherwise. Writes go to far. It needs only the
// standard library and package cache, and registers itself as CACHE_TYPE "tiered".
//
//	near, err := simple.New(ctx, simple.Options{})
//	far, err := redis.New(ctx, redis.Options{Addr: "localhost:6379"})
//	backend, err := tiered.New(near, far, tiered.Options{Grace: 2 * time.Second})
//	c := cache.New(backend)
//
// # Coherence
//
// Far is the truth, near is a copy. How old the copy may be depends on far:
//
//   - If far reports changes (it is a [driver.Watcher]), an entry is removed near as soon
//     as the notice of its change arrives. If notices stop arriving, near is emptied
//     within [Options.Grace]. Until they arrive again, nothing is kept near if
//     [Options.NearTTL] is 0; otherwise entries are kept for NearTTL.
//   - If it reports only a part of the changes (it is a [driver.PartialWatcher], such as
//     redis with PublishChanges), both hold: reported changes are seen when their notice
//     arrives, and other changes after at most NearTTL, which is required.
//   - If it does not, NearTTL is required: an entry that another process has changed or
//     removed is read for at most NearTTL after the change.
//
// In both cases:
//
//   - The writes of this process are read at once. Before a write its entry is removed
//     near. If the write succeeds, and the key has not been changed otherwise meanwhile,
//     the new value is kept near. After an error nothing is, in particular after
//     [driver.ErrUnknownOutcome].
//   - A value is kept near for at most its remaining TTL in far, counted from before the
//     read, and for at most NearTTL, if that is set. If far does not return values with
//     their remaining TTL (it is no [driver.LifeGetter]), a value that was read from far
//     may be read for up to NearTTL after it has expired there.
//   - A value that was read from far is not kept if a notice or a write of its key
//     arrived during the read.
//   - Misses, failures and damaged values are not kept.
//   - TTL, Add, Inc, CompareAndSwap, Lease, Fill, Scan and the answer of Delete come from far.
//
// If far reads from replicas that lag behind, set NearTTL: a notice may arrive before
// the replica has the change, and the old value is then kept.
//
// # Values without encoding
//
// Far stores bytes. What a view with cache.WithoutEncoding has decoded from them is kept
// near in their place, if near is a [driver.ValueKeeper] and a [driver.TTLer], as package
// simple is. Later hits return that value and allocate nothing; all callers share it. If
// other views read the same key, its bytes are read from far again.
//
// # Errors and retries
//
// Errors are those of far. What far does not support is unsupported here. A failure of
// near is not returned: if an entry cannot be removed near, near is not used until it
// could be emptied. While far is unavailable, entries that are near are still returned
// for as long as they may be kept. A watch that has ended is begun again, after 50 ms
// at first and after at most 5 s. [Options.OnLost] receives why it ended.
//
// # Expiry
//
// An entry expires near no later than in far, with the exception above.
//
// # Limits
//
// Limits of keys and values are those of far. The size of near is limited by the options
// of near; what near has evicted is read from far. Near must be in the memory of the
// process and used by this Backend alone. New empties it.
//
// # Concurrency
//
// Operations of one process on one key are linearizable if those of far are. Entries
// that are read from far at the same time are read once for each caller; see
// cache.View.GetOrSet for loads that are shared.
package tiered
