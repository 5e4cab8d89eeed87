// Cachectl is the command line over any cache backend, and a way to run a slow
// command once and have its answer from the cache afterwards:
//
//	cachectl exec --timeout 10m -- COMMAND [ARG...]
//
// It reads the same CACHE_* settings as the library, from the environment or a
// JSON file (--config). Where CACHE_TYPE is not set, entries are files in the
// user's cache directory. CACHE_IGNORE_ERRORS is not followed: a command line
// is asked to tell.
//
// The exit status is 0 for a hit or something done, 1 for a miss, 2 for a call
// or settings that are wrong and 3 for a backend that failed. Exec ends with the
// status of its command, or 2, or 126 and 127 where the command cannot be
// started, as in a shell.
package main
