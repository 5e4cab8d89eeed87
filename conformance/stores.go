package conformance

import (
	"errors"
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// needsStore returns why a rule does not apply to a harness without a store.
func needsStore(field string, given func(s Stores) bool) func(Harness) string {
	return func(h Harness) string {
		if given(h.Stores) {
			return ""
		}
		return "the harness has no such store (Stores." + field + ")"
	}
}

// openStore returns a handle of b, one of the harness's Stores, and closes it
// after the case.
func (t *attempt) openStore(b driver.Backend) *handle {
	t.toClose = append(t.toClose, b)
	return &handle{cache: cache.New(b), prefix: t.id + ":", written: &keySet{keys: map[string]struct{}{}}}
}

// openSecondHandle opens another handle to the store and lets the steps use it.
func (t *attempt) openSecondHandle() {
	b := t.harness.Stores.Reopen(t.test, t.first)
	t.toClose = append(t.toClose, b)
	shown := b
	if t.mode == fallback {
		shown = hideFallbacks(b)
	}
	second := *t.handle
	second.cache = cache.New(shown, cache.WithPrefix(t.handle.written.prefix))
	if t.mode == bare {
		second.bare = driver.Resolve(b)
	}
	t.handle = &second
}

// fill stores n items of size bytes, each of which begins with its key. It
// returns the keys and the error of SetMany.
func (t *attempt) fill(h *handle, n, size int) (list []string, err error) {
	list = keys("k", n)
	items := map[string]string{}
	for _, key := range list {
		items[key] = filling(key, size)
	}
	return list, h.SetMany(t.ctx, items, time.Hour)
}

func filling(key string, size int) string { return fmt.Sprintf("%-*s", size, key) }

// failedKeys returns the keys that a BatchError names, without the prefix of h,
// each with its error.
func (t *attempt) failedKeys(h *handle, err error) map[string]error {
	failed := map[string]error{}
	var batch *driver.BatchError
	if errors.As(err, &batch) {
		for _, f := range batch.Failed {
			failed[f.Key[len(h.prefix):]] = f.Err
		}
	} else if err != nil {
		t.stop("the error of a batch", err, text("a *driver.BatchError that names the failed keys"))
	}
	return failed
}
