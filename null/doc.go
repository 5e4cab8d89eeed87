// Package null is the cache backend that stores nothing: every read misses and
// every write succeeds, as with Flask-Caching's NullCache. It turns caching off
// without a change to the program. Arguments are checked as on every backend, so
// that tests over it find the mistakes production would.
//
// Importing the package registers it as CACHE_TYPE "null", which is also what an
// unset CACHE_TYPE means. Opening it from settings logs one warning, unless
// CACHE_NO_NULL_WARNING is set.
package null
