package conformance

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

var closeCases = []Case{
	{ID: "CLO-1", Name: "close_twice",
		Rule:  "Close returns nil, also the second time",
		Why:   "A deferred Close after an explicit one must not report a failure.",
		flags: needsOwnStore | alsoNull,
		run: func(t *attempt) {
			t.must("Close", t.close())
			t.must("a second Close", t.close())
			t.must("Close of the backend after Close of the cache", t.backend.Close())
		}},
	{ID: "CLO-2", Name: "use_after_close",
		Rule:  "every operation after Close returns ErrClosed",
		Why:   "A backend that silently opens new connections hides a defect of the program and leaks them.",
		flags: needsOwnStore | alsoNull,
		run: func(t *attempt) {
			if t.supports(Storage) {
				t.set("k", "v", time.Hour)
				t.delete("k")
			}
			t.must("Close", t.close())
			for _, op := range t.supported(allOperations) {
				if _, unavailable := t.clearUnavailable(); unavailable && op.name == "Clear" {
					continue
				}
				t.errorIs(op.name+" after Close", op.call(t.ctx, t.handle, "k"), driver.ErrClosed)
			}
		}},
	{ID: "CLO-3", Name: "close_while_calls_run",
		Rule:  "calls that run during Close finish or return ErrClosed, without a panic",
		Why:   "A server that shuts down under load must not crash.",
		flags: needsOwnStore | alsoNull,
		run: func(t *attempt) {
			operations := t.supported(keyOperations)
			var closed atomic.Bool
			closeSoon := func() {
				time.Sleep(2 * time.Millisecond)
				t.must("Close", t.close())
				closed.Store(true)
			}
			t.finishes("operations during Close", func() {
				t.concurrently(5, func(worker int) {
					if worker == 0 {
						closeSoon()
						return
					}
					for i := 0; !closed.Load(); i++ {
						op := operations[i%len(operations)]
						err := op.call(t.ctx, t.handle, fmt.Sprintf("w%d", worker))
						if err != nil && !errors.Is(err, driver.ErrClosed) && !errors.Is(err, errResult) {
							t.stop(op.name+" during Close", err, text("a result, or ErrClosed"))
						}
					}
				})
			})
		}},
}
