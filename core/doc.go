// Package cache is one interface over many cache backends: the Go counterpart of
// Flask-Caching, with its CACHE_* settings.
//
// A program holds a [Cache], made from settings by [Open] or from a backend by
// [New], and typed views of it made by [Of]:
//
//	c, err := cache.Open(ctx, cache.FromEnv(os.Environ())) // CACHE_TYPE=redis, after import _ ".../redis"
//	users := cache.Of[User](c)
//	u, err := users.GetOrSet(ctx, "42", load, cache.Timeout(time.Minute))
//
// An author of a backend implements the six methods of [Backend] and, where the
// store can do better than the fallback, the optional interfaces beside it; the
// module conformance checks the result.
//
// A miss is ok=false with a nil error. A timeout that is not given is the
// default of the cache, Timeout(0) never expires. Faults are told apart with
// errors.Is and the sentinels of this package, the same on every backend.
//
// This module requires nothing but the standard library, and imports no backend.
package cache
