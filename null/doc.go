// Package null is a cache backend that stores nothing: every read is a miss and every
// write succeeds, as with Flask-Caching's NullCache. It turns caching off without a
// change to the program. It needs only the standard library, and registers itself as
// CACHE_TYPE "null", which is also the default of CACHE_TYPE.
//
// Opening it from settings logs one warning, unless CACHE_NO_NULL_WARNING is set.
//
// # Errors and retries
//
// The only error is [driver.ErrClosed]. A cache.Cache checks keys, timeouts and
// contexts as with every other backend, so that tests with null find invalid ones.
//
// # Concurrency
//
// All methods are safe for concurrent use. Every Add returns true, also for a key that
// was added before: null cannot be used for locks.
package null
