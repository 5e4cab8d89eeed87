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
// [driver.ErrTooLarge] if an entry does not fit into [Options.MaxBytes], and
// [driver.ErrCorrupt] if bytes are read as a Go value or the reverse. Nothing is
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
// An expired entry is removed when its room is needed, and otherwise 20 seconds after
// its deadline at the latest, or later if the walks over all entries would take more
// than 2 % of a processor. A timer starts these walks. It runs only while an entry has a
// deadline, and ends with Close. The garbage collector frees the memory in its next
// cycle.
//
// # Limits
//
// There are never more than [Options.Threshold] entries, and they never take more than
// [Options.MaxBytes]. Nothing is evicted before one of the two is reached. If only
// MaxBytes is given, the number of entries is not bounded.
//
// MaxBytes counts for each entry its key, the capacity of its value and about 100 bytes
// of overhead. At the bound the heap was measured to be 0.95 to 1.00 times MaxBytes,
// with values of 100 B, 1 KB and 64 KB. Garbage is not included: until the collector
// runs, replaced and evicted values take memory too. GOGC=100 lets the heap grow to
// twice the live memory, which the percentage of a CACHE_MAX_BYTES such as "10%" should
// leave room for. Go values that are stored without encoding count as [Options.Weight]
// says, or else as 256 bytes.
//
// A new entry that needs room evicts an expired entry or, if there is
// none, the victim of S3-FIFO: entries that were not used since they were stored are
// evicted first, so that a scan over many keys does not empty the cache. A Set never
// evicts its own entry, and entries that never expire are treated like all others.
//
// Eviction considers the entries of one shard. There is one shard below 2,000
// entries or 16 MB, and up to 16. With MaxBytes, a shard that has less than its share
// of the memory, or a value that is larger than such a share, evicts from the shard that
// has the most. The search for an expired entry examines at most 4,096
// entries: in a large cache a live entry may be evicted although an expired one is
// present.
//
// Entries take about 100 bytes of memory each, in addition to key and value. The key
// is copied. The slice of a value is not copied; package cache passes a copy.
//
// # Leases
//
// A lease is not an entry: it does not count towards [Options.Threshold] and
// [Options.MaxBytes], and no eviction ends it. It takes about 150 bytes of memory until
// a write, Fill or Release ends it, or until a later call removes it after its hold.
// While a shard has leases, a write that adds or removes a key searches them. All other
// calls cost the same as without leases.
//
// # Concurrency
//
// Operations on one key are linearizable. Reads take no lock and allocate nothing.
// Replacing the value of a key takes no lock, unless it brings the deadline forward or,
// with MaxBytes, changes the size of the entry.
// Adding and removing keys locks one shard. A write allocates one object in addition
// to the value, and a new key a second one.
//
// # Garbage collection
//
// Each entry is three heap objects: node, key and value. Only the node contains
// pointers, so that the collector scans 64 bytes per entry, and 8 in the table; queues
// and ghosts contain no pointers. Caches that keep entries in a few large arrays give
// the collector nothing to scan, but have to copy every value that is read, and can
// keep neither Go values nor shared strings.
//
// A cycle over such arrays would require that nodes and keys be found by an offset
// instead of a pointer. The collector would then not know which of them a reader still
// uses, so every read would need a lock, or a check that the entry was not replaced while
// it was copied. Removed entries would leave gaps, which have to be reused in the order of
// a queue, whatever the eviction prefers, or closed by moving entries. The series Collector
// of tools/bench compares the cycles of both kinds.
package simple
