// Package simple is a cache backend in the memory of the process: bounded, with
// values as bytes or as Go values. It needs only the standard library, and registers
// itself as CACHE_TYPE "simple".
//
//	backend, err := simple.New(ctx, simple.Options{})
//	c := cache.New(backend)
//
// # Errors and retries
//
// Memory does not fail. The only errors are [driver.ErrClosed], [driver.ErrNotInteger],
// and [driver.ErrCorrupt] if bytes are read as a Go value or the reverse. Nothing is
// retried.
//
// # Expiry
//
// An entry expires exactly at its deadline on the monotonic clock; setting the clock
// of the machine has no effect. Two things stop that clock or delay its use:
//
//   - While the machine sleeps, the monotonic clock of Linux and macOS stops, and no
//     entry expires.
//   - If the process was stopped for a second or more (SIGSTOP, a debugger, a paused
//     virtual machine), a read immediately after it continues may still return an
//     entry that expired meanwhile. This ends within milliseconds (5 at most in the
//     stops that were measured), and with the first Set that has a TTL.
//
// An expired entry occupies memory until its room is needed.
//
// # Limits
//
// There are never more than [Options.Threshold] entries, and nothing is evicted below
// that number. A new entry that needs room evicts an expired entry or, if there is
// none, the victim of S3-FIFO: entries that were not used since they were stored are
// evicted first, so that a scan over many keys does not empty the cache. A Set never
// evicts its own entry, and entries that never expire are treated like all others.
//
// Eviction considers the entries of one shard. There is one shard below 2,000
// entries, and up to 16. The search for an expired entry examines at most 4,096
// entries: in a large cache a live entry may be evicted although an expired one is
// present.
//
// Entries take about 100 bytes of memory each, in addition to key and value. The key
// is copied. The slice of a value is not copied; package cache passes a copy.
//
// # Leases
//
// A lease is not an entry: it does not count towards [Options.Threshold], and no eviction
// ends it. It takes about 150 bytes of memory until a write, Fill or Release ends it, or
// until a later call removes it after its hold. While a shard has leases, a write that
// adds or removes a key searches them. All other calls cost the same as without leases.
//
// # Concurrency
//
// Operations on one key are linearizable. Reads take no lock and allocate nothing.
// Replacing the value of a key takes no lock, unless it brings the deadline forward.
// Adding and removing keys locks one shard. A write allocates one object in addition
// to the value, and a new key a second one.
package simple
