// Package cache is one interface over many cache backends: the Go counterpart of
// Flask-Caching, with its CACHE_* settings.
//
// A program holds a [Cache], made from settings by [Open] or from a backend by
// [New], and typed views of it made by [Of]:
//
//	c, err := cache.Open(ctx, cache.FromEnv(os.Environ())) // CACHE_TYPE=redis, after import _ ".../redis"
//	users := cache.Of[User](c)
//	u, ok, err := users.Get(ctx, "42")                                // a miss is ok=false with a nil error
//	u, err = users.GetOrSet(ctx, "42", load, cache.Timeout(time.Minute)) // one load per key at a time
//
// Authors of backends and of wrappers import package driver, below this one. The
// module conformance tests them.
//
// # Errors and retries
//
// Every error is an [*Error] with the operation, the backend and the key. Match its
// cause with errors.Is and the errors of this package, which are the same on every
// backend. A miss is not an error. [ErrUnavailable] means that the store did not
// execute the call, [ErrUnknownOutcome] that a write may or may not have been
// executed. Backends retry a request only if repeating it cannot change the result.
//
// # Expiry
//
// A call without [Timeout] uses the default timeout of the cache, 300 seconds unless
// it is set. With Timeout(0) an entry never expires; a negative timeout is an error.
// An entry never expires early; the documentation of each backend states how late it
// may expire.
//
// # Concurrency
//
// All types are safe for concurrent use. Byte slices are copied, so that the caller
// owns those that it passes and those that it gets. Views [WithoutEncoding] are the
// exception.
//
// This module requires only the standard library and imports no backend. Programs for
// common tasks are in https://github.com/cachebackends/cachebackends/tree/main/docs.
package cache
