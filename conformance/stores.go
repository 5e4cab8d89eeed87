package conformance

import (
	"errors"
	"hash/crc32"
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
	return &handle{cache: cache.New(t.show(b)), prefix: t.id + ":", written: &keySet{keys: map[string]struct{}{}}}
}

// openAgain opens another handle to the store, closed after the case.
func (t *attempt) openAgain() driver.Backend {
	b := t.harness.Stores.Reopen(t.test, t.first)
	if b == nil {
		t.stop("Stores.Reopen", text("nil"), text("another handle"))
	}
	t.toClose = append(t.toClose, b)
	return t.show(b)
}

// openSecondHandle opens another handle to the store, which the steps then use.
func (t *attempt) openSecondHandle() {
	t.handle = t.reopened()
}

// canReopen reports whether a further handle of the attempt's store can be opened.
func (t *attempt) canReopen() bool {
	return t.supports(Persistence) && (t.harness.Isolated || !t.ownStore) // not of Stores.ClearAllowed
}

// handles returns handles to the store for concurrent callers: the one of the attempt,
// and two more if the store can have them.
func (t *attempt) handles() []*handle {
	if !t.canShare() {
		return []*handle{t.handle}
	}
	return []*handle{t.handle, t.reopened(), t.reopened()}
}

// reopened opens another handle to the store, as the mode calls it.
func (t *attempt) reopened() *handle {
	b := t.openAgain()
	other := *t.handle
	shown := b
	if t.mode == fallback {
		shown = hideFallbacks(shown)
	}
	other.cache = cache.New(shown, cache.WithPrefix(t.handle.written.prefix))
	if t.mode == bare {
		other.bare = driver.Resolve(b)
	}
	return &other
}

// reopen closes the handle of the attempt and opens another one in its place.
func (t *attempt) reopen() {
	t.must("Close before reopening", t.handle.cache.Close())
	t.handle = t.reopened()
	t.cache, t.backend = t.handle.cache, t.handle.cache.Backend()
}

// canShare reports whether two handles can be open, and see each other's writes at
// once.
func (t *attempt) canShare() bool {
	return t.canReopen() && !t.harness.declares(OneHandle) && t.harness.Limits.Staleness == 0
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

func filling(key string, size int) string {
	return key + string(randomBytes(byte(crc32.ChecksumIEEE([]byte(key))), size-len(key)))
}

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
