// Package gcs is a cache backend on Google Cloud Storage: each entry is an object of a
// bucket. It requires only cloud.google.com/go/storage.
//
// Importing the package registers CACHE_TYPE "gcs". [New] opens the same backend from
// [Options], and [NewFromClient] borrows a client of the application.
//
// The object of an entry has the name [Options.Prefix] + key and the bytes of the value.
// Its user metadata has cache-expires, the expiry time in Unix milliseconds (0 is
// never), which a read returns with the bytes: a hit is one request. An object that was
// written on a condition, as by Add, also has cache-token, which identifies the write
// after a lost reply. Objects of other programs are entries that never expire; a hit on
// such an object takes two requests.
//
// With [Options.Flask], objects are those of Flask-Caching: application/json for values that
// JSON has, and application/octet-stream for bytes. A value that JSON does not have, such as
// a date, which Flask-Caching cannot store, is kept as a pickle, which Python reads as
// bytes. The expiry time of an object that Python wrote is its customTime. A tuple becomes
// a list, and NaN, which Python writes into JSON, is not read. The customTime of a lease is
// in the past, so that Python takes it for expired; a lifecycle rule may remove it early.
//
// # Errors and retries
//
// If the service responds with 429 or a status of 500 and more, or if a connection
// breaks, the request is repeated with growing pauses until the deadline. A call whose
// context has no deadline has [Options.Timeout]. A call returns at its deadline or when
// its context is cancelled, except while the client library fetches a token, about once
// an hour. If the connection is refused, the call fails at once.
//
// [driver.ErrUnavailable] from a write means that nothing was stored or removed. A write
// that may have been executed is [driver.ErrUnknownOutcome]. Set and SetMany have no
// condition: they are repeated after 429 and 503 only. Otherwise the service could execute
// the first request after a later Delete. All other writes have a condition: Add, Inc,
// Lease, Fill and CompareAndSwap recognise the object that they stored in an attempt whose
// reply was lost, and Delete and Clear remove only the generations that they have read. They
// return [driver.ErrUnknownOutcome] if that does not determine the outcome.
//
// A redirect, or a response of another server such as a captive portal, is an error and is
// not retried. Redirects are not followed, so that the token and the value go to the
// configured host only. For a borrowed client, see [NewFromClient].
//
// An object under a hold or a retention policy cannot be replaced or removed. Only its
// key fails: a batch stores or removes the others, and Clear returns the error at the
// end.
//
// # Expiry
//
// Expiry times are exact to a millisecond, by the clocks of the machines that write and
// read. An expired object is absent for every method, but stays in the bucket until a
// write replaces it, [Options.DeleteExpiredOnRead] removes it, or a lifecycle rule does.
// The rule can use customTime, which has the expiry time.
//
// # Limits
//
// An object name has at most 1,024 bytes of UTF-8 without line breaks; the service
// reserves ".", ".." and names that begin with .well-known/acme-challenge/. Other keys
// are [driver.ErrInvalidKey]. The service accepts about one write per second to the same
// object and rejects more with 429, so Inc of one key, or Add of a lock that many callers
// want, is slow.
//
// # Leases
//
// A lease is an object without bytes under the key, with cache-expires 1 and its end in
// cache-lease and customTime. Other programs see this object until a write replaces or
// removes it, or a lifecycle rule removes it some time after the lease has ended. Fill
// has the condition that the generation of the object is still that of the lease, so
// that it never stores a stale value.
//
// Each machine compares the end of a lease with its own clock. If two clocks differ, the
// next caller loads the key earlier or later by the difference. A lease that would end in
// more than two minutes is treated as ended.
//
// Lease and Fill both write the object. If the load takes less than a second, the
// service may reject Fill with 429; the retries then delay it by about a second.
//
// # Concurrency
//
// A [Backend] is safe for concurrent use. The service has no request for several
// objects: a batch sends one request per key, or two to delete, and up to
// [Options.Concurrency] of them at a time. There is no PoolSize, because HTTP/2 needs
// one connection for all of them. Callers of Inc for the same key of one Backend take
// turns.
package gcs
