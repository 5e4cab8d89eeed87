package remote

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Parallel calls do for 0 to n-1, up to limit at a time and at least one, and returns
// their errors. It is for batches over a store that has no command for several keys.
// After an error for which [driver.EndsBatch] is true, or if ctx is done, it starts no
// further call: the remaining errors are [driver.Skipped]. A call that panics or calls
// runtime.Goexit fails with an error, which is a [*PanicError] for a panic. do must be
// safe for concurrent use. [driver.BatchOf] turns the errors into one.
func Parallel(ctx context.Context, n, limit int, do func(i int) error) []error {
	errs := make([]error, n)
	var next atomic.Int64
	var skipped atomic.Pointer[error]
	call := func(i int) error {
		if ended := skipped.Load(); ended != nil {
			return *ended
		}
		err := ctx.Err()
		if err == nil {
			err = do(i)
		}
		if driver.EndsBatch(err) {
			rest := driver.Skipped(err)
			skipped.CompareAndSwap(nil, &rest)
		}
		return err
	}
	var workers sync.WaitGroup
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			guard(&errs[i], func() error { return call(i) })
		}
	}
	for range min(max(limit, 1), n) {
		workers.Go(func() { resume(work, workers.Go) })
	}
	workers.Wait()
	return errs
}
