// Package guard wraps a cache backend so that an outage of its server costs little
// time: each call has a time budget, and after several faults a circuit breaker makes
// calls fail at once. It needs only the standard library, and registers itself as
// CACHE_TYPE "guard".
//
//	c, err := cache.Open(ctx, cache.FromMap(map[string]any{
//		"CACHE_TYPE": "guard",
//		"CACHE_OPTIONS": map[string]any{
//			"budget": "50ms",
//			"inner":  map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": "db"},
//		},
//	}))
//
// In Go, [New] wraps any [driver.Backend].
//
// # Circuit breaker
//
// The breaker opens after [Options.Faults] faults in a row, or after that many faults
// within [Options.Window] if they are at least [Options.Share] of its calls. While it is
// open, calls return [driver.ErrUnavailable] within microseconds, and nothing is sent.
// After [Options.Pause] one call passes as a probe. If it succeeds, the breaker closes;
// if it is a fault, the next probe passes after another Pause.
//
// If the backend has several independent servers (a [driver.Placer], such as memcached
// or a redis cluster), each server has a breaker of its own: a server that is down does not
// affect keys on the others. In a batch, only the keys of a server whose breaker is
// open fail. They are not checked: an invalid key among them fails with
// [driver.ErrUnavailable], and does not keep the other keys from being stored.
//
// A fault is an error that says that the store did not answer as it should:
// [driver.ErrUnavailable], [driver.ErrUnknownOutcome], a timeout, or an error that is
// none of the errors of package driver. Misses, mistakes such as [driver.ErrInvalidKey]
// and answers such as [driver.ErrNotInteger], [driver.ErrCorrupt], [driver.ErrFull] and
// [driver.ErrAuth] are not faults. A call that its caller cancelled within its budget
// decides nothing. A call that ended at the deadline of its caller is a fault if it had at
// least half of [Options.Budget]; without a budget it decides nothing.
//
// A change of the breaker is an event of the observer with the Op "breaker_open" (with
// the fault in Err) or "breaker_closed". Cache.Stats has the state.
//
// # Errors and retries
//
// A call that its budget ends returns [driver.ErrUnavailable], or
// [driver.ErrUnknownOutcome] if a write was sent. It does not match
// context.DeadlineExceeded, which stands for the deadline of the caller. Nothing is
// retried, and no other store answers in place of the guarded one: with two holders
// of one key, Add and Inc would be wrong.
//
// # Limits
//
// The backend must end a call when its context is done, as every backend of this
// project does. Clear, ClearPrefix and Scan have no budget, because they take as long as
// there are entries: limit them by the deadline of their context.
//
// # Concurrency
//
// All methods are safe for concurrent use. A call through a closed breaker writes to
// no shared memory unless the previous call was a fault or Options.Share is set.
package guard
