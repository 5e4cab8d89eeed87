// Package uwsgi is the cache backend on the caches that a uWSGI server keeps for
// its workers (--cache2). It speaks the uwsgi protocol over TCP or a unix socket,
// from any program, and requires nothing beyond core.
//
// Importing the package registers CACHE_TYPE "uwsgi". [New] opens the same from
// [Options].
//
// What a worker stores with uwsgi.cache_set or cache_update is read here byte for
// byte, and the other way round. One kind of value the server cannot hold: an
// empty one. It travels as a NUL byte, and a value of NUL bytes alone as one more.
//
// # A server that says nothing
//
// The server answers each request on a connection of its own, which it closes.
// What it refuses it closes without a byte: a key that is absent, one that is there
// already, a cache that is full or does not exist. New therefore tries the cache
// once, and afterwards such an end is looked into:
//
//   - of a read, it is a miss. A worker that dies while it reads for us looks the
//     same, and so does an outage behind a TCP proxy that accepts in place of the
//     server; without one, an outage is cache.ErrUnavailable.
//   - of Set, the entry is read: where it is ours, Set has worked; else it was
//     refused, as cache.ErrFull or cache.ErrTooLarge.
//   - of Add, the entry is read: where there is one, Add is false. A worker that
//     died between storing and answering would look like that, too.
//
// A connection that is reset is an outage, not a refusal: a read is repeated once,
// and so is Set, to which it does no harm. Add and Delete, whose answers would be
// wrong the second time, return cache.ErrUnknownOutcome, and so does Set where its
// second try fails too. A request that did not go out in full is never carried out.
//
// # Time
//
// The server keeps the end of life in whole seconds of its clock, and removes
// what is over every few seconds (--cache-expire-freq, 3). In between it goes on
// serving it; this package looks at the end itself, so the clocks of both machines
// must agree. An entry lives up to two seconds longer than asked for, never less.
// Add of a key whose entry is over but not removed waits until it is: for up to
// those seconds, or the deadline of its context.
package uwsgi
