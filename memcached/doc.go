// Package memcached is the cache backend on memcached: one server or several, with
// the text protocol or, as `memcached -S` wants it, the binary one with SASL. It
// requires github.com/bradfitz/gomemcache and nothing else.
//
// Importing the package registers CACHE_TYPE "memcached", "saslmemcached" and
// "spreadsaslmemcached". [New] opens the same from [Options], and [NewFromClient]
// borrows a client of gomemcache that the application has already.
//
// # What may happen to a call
//
// A call is back at the deadline of its context, however many servers it is about,
// and within some 20 ms of a cancellation. The connection on which it waited is
// thrown away.
//
// A read whose connection breaks is repeated once, and so is Set, to which it does
// no harm. Add, Inc and deletes are sent at most once: where the answer is lost they
// return cache.ErrUnknownOutcome. cache.ErrUnavailable from a write means that
// nothing was sent. Batches name the keys that failed, and bring what the other
// servers have. Where a server refuses some of a SetMany, those of its keys that are
// not there are tried once more, each for itself.
//
// The server counts in seconds: an entry lives up to 4 s longer than asked for, never
// shorter, and no longer than to 2038-01-19 unless it lives for ever. Keys take 250
// bytes with the prefix, no blanks and no control characters. Values end 512 bytes
// below Options.MaxItemSize. What is too long is refused before anything is sent.
//
// Decimal integers are stored with flag 2, as Python's clients do, by which the
// blanks that the server leaves behind a number that lost a digit are taken off.
//
// # Many callers
//
// Up to four calls at a time each use a connection of their own. Beyond that they
// share round trips: what arrives while two are under way goes out with the next. A
// call that ends before its turn is not sent.
//
// # Large values
//
// With Options.Spread a value that is too large for one item lies in several, and
// its key holds a head that tells them. Readers see the whole value or a miss. A
// small value is stored as without Spread and takes one round trip, a large one
// takes two to read. Where a small value replaces a large one, the chunks of that
// stay until they expire or the server needs their room.
//
// # What a mode cannot do
//
//   - Binary: TTL, Clear of one prefix, and counting below zero.
//   - A borrowed client: the same, and batches of writes in one round trip. Of a
//     context, its caller alone hears at once; gomemcache goes on until its own
//     timeout. It believes any length that a server tells.
package memcached
