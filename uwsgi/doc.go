// Package uwsgi is a cache backend for the caches that a uWSGI server keeps for its
// workers (--cache2). It speaks the uwsgi protocol over TCP or a unix socket, works
// in any program and requires nothing beyond core.
//
// Importing the package registers CACHE_TYPE "uwsgi". [New] opens the same backend
// from [Options].
//
// Entries are shared with the workers byte for byte: Get returns what a worker
// stored with uwsgi.cache_set or uwsgi.cache_update, and workers read what Set
// stored. The exception is the empty value, which the server cannot store. It is
// stored as one NUL byte; a value of only NUL bytes is stored with one more.
//
// With [Options.Flask], an integer in decimal text is the pickle of an int on the server, as
// Flask-Caching stores it; all other values should be pickles then, because Flask-Caching
// unpickles whatever it reads. Its inc and dec read and write in two steps and are not
// atomic, and this package has none.
//
// # Errors and retries
//
// The server answers each request on a separate connection and then closes it. If it
// rejects a request, it closes the connection without a reply: the key is absent,
// Add found the key present, the cache is full, or the cache does not exist. New
// therefore checks once that the cache exists. Later, a connection closed without a
// reply means:
//
//   - For a read: a miss. A worker that crashes during the read looks the same. So
//     does an outage behind a TCP proxy that accepts connections for the server;
//     without such a proxy, an outage is [driver.ErrUnavailable].
//   - For Set: the entry is read back. If it is the new one, Set succeeded.
//     Otherwise Set returns [driver.ErrFull] or [driver.ErrTooLarge], or
//     [driver.ErrUnavailable] if the server was restarted without the cache. It looks
//     for the cache once a minute at most, because that takes 0.3 s if the cache exists.
//   - For Add: the entry is read back. If there is one, Add returns false. This is
//     wrong if a worker crashed after it stored the entry and before it replied. If there
//     is none and the cache is not full, Add tries again, and returns
//     [driver.ErrUnavailable] after ten seconds.
//   - For Delete: the entry is read again. If it is absent or another one, another caller
//     was faster, and Delete returns false. If it is unchanged, a worker may have been
//     killed before it executed the request. Delete then sends it again, and returns
//     [driver.ErrUnknownOutcome] after five requests without a reply.
//
// A connection that is reset is an outage. A read is retried once. Writes except Clear
// are not retried and return [driver.ErrUnknownOutcome]: the server could execute the
// first request after the second one and after a later Delete. The server never executes
// a request that was sent in part.
//
// # Expiry
//
// The server keeps the expiry time in whole seconds of its own clock. An entry lives
// up to two seconds longer than its TTL, never shorter. The server removes expired
// entries every few seconds (--cache-expire-freq, 3 by default) and serves them until
// then. This package checks the expiry time itself, so the clocks of both machines
// must agree. Add of an expired key waits until the server has removed the entry or
// the context ends. GetWithTTL returns the time until the second at which the server may
// remove the entry.
//
// # Limits
//
// A key has at most [Options.MaxKey] bytes and must fit in a request
// ([Options.BufferSize]). A value has at most [Options.MaxValue] bytes. The protocol
// has no counters, no compare-and-swap and cannot list keys, so Inc, CompareAndSwap,
// leases and Clear with a prefix are unsupported. Clear without a prefix needs
// [Options.AllowFlush], and [Options.FirstCache] if the cache has a name.
//
// # Concurrency
//
// A [Backend] has at most [Options.PoolSize] connections at a time. Batches send one
// request per key, that many at a time.
package uwsgi
