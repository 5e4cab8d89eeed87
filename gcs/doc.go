// Package gcs is the cache backend on Google Cloud Storage: each entry is an
// object of a bucket. It is built on cloud.google.com/go/storage and brings
// nothing else.
//
// Importing the package registers CACHE_TYPE "gcs". [New] opens the same from
// [Options], and [NewFromClient] borrows a client that the application has already.
//
// # Objects
//
// An entry is the object whose name is Options.Prefix + key, and the bytes of the
// object are those of the value. The end of its life is kept in the user metadata
// cache-expires, in Unix milliseconds (0 is never), which a read returns beside the
// bytes: a hit is one request. It is kept in customTime, too, for lifecycle rules,
// which remove what has expired; until then it is there and absent for every method.
// What an Add or Inc wrote also carries cache-token, which is how it is recognised
// after a lost answer. Objects of other programs are entries that never expire.
//
// Life begins before the object is sent and is measured by the clocks of the
// machines, those that write and those that read.
//
// # What may happen to a call
//
// A call is back at the deadline of its context, or when that is cancelled; only
// while the client library gets a token, about once an hour, it cannot be hurried.
// What the service answers with 429, 503 and the like is tried again until then,
// with growing pauses; without a deadline, for Options.Timeout. So is a request
// whose connection breaks, but for Delete, whose answer would be wrong the second
// time: where it is lost it returns cache.ErrUnknownOutcome. Add and Inc may be
// repeated, for they store on a condition and recognise what they stored; where
// that is not enough to tell, they return cache.ErrUnknownOutcome, too.
// cache.ErrUnavailable from a write means that nothing was stored.
//
// The service takes about one write a second to the same object, and answers more
// with 429: Inc of one key is slow, and so is a lock that many want. Callers of Inc
// over the same Backend take turns.
package gcs
