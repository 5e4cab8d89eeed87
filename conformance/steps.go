package conformance

import (
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// The steps of a case: operations that stop it on an error, and checks of what
// they return. All may be called from the goroutines of concurrently.

// set stores value under key.
func (t *attempt) set(key, value string, ttl time.Duration) {
	t.step(key)
	t.noteWrite(key)
	t.must(fmt.Sprintf("Set(%s, ttl %v)", show(key), ttl), t.handle.Set(t.ctx, key, []byte(value), ttl))
}

// add stores value under key if key is absent, and reports whether it did.
func (t *attempt) add(key, value string, ttl time.Duration) bool {
	t.step(key)
	t.noteWrite(key)
	added, err := t.handle.Add(t.ctx, key, []byte(value), ttl)
	t.must(fmt.Sprintf("Add(%s, ttl %v)", show(key), ttl), err)
	return added
}

// get returns the value of key, and whether key is present.
func (t *attempt) get(key string) (string, bool) {
	t.step(key)
	value, ok, err := t.handle.Get(t.ctx, key)
	t.must("Get("+show(key)+")", err)
	return string(value), ok
}

// has reports whether key is present.
func (t *attempt) has(key string) bool {
	t.step(key)
	ok, err := t.handle.Has(t.ctx, key)
	t.must("Has("+show(key)+")", err)
	return ok
}

// delete removes key and reports whether it was present.
func (t *attempt) delete(key string) bool {
	t.step(key)
	deleted, err := t.handle.Delete(t.ctx, key)
	t.must("Delete("+show(key)+")", err)
	return deleted
}

// inc adds delta to the integer under key and returns the sum.
func (t *attempt) inc(key string, delta int64, ttl time.Duration) int64 {
	t.step(key)
	t.noteWrite(key)
	sum, err := t.handle.Inc(t.ctx, key, delta, ttl)
	t.must(fmt.Sprintf("Inc(%s, %d)", show(key), delta), err)
	return sum
}

// getMany returns one value per key, nil for a miss.
func (t *attempt) getMany(keys ...string) [][]byte {
	t.step(keys...)
	values, err := t.handle.GetMany(t.ctx, keys...)
	t.must(fmt.Sprintf("GetMany of %d keys", len(keys)), err)
	if len(values) != len(keys) {
		t.stop("the number of results of GetMany", len(values), len(keys))
	}
	return values
}

// setMany stores items.
func (t *attempt) setMany(items map[string]string, ttl time.Duration) {
	for key := range items {
		t.noteWrite(key)
	}
	t.must(fmt.Sprintf("SetMany of %d items", len(items)), t.handle.SetMany(t.ctx, items, ttl))
}

// deleteMany removes keys and returns those that were present.
func (t *attempt) deleteMany(keys ...string) []string {
	t.step(keys...)
	deleted, err := t.handle.DeleteMany(t.ctx, keys...)
	t.must(fmt.Sprintf("DeleteMany of %d keys", len(keys)), err)
	return deleted
}

// clear removes every key under the prefix of the cache, or the whole store if
// the cache has no prefix.
func (t *attempt) clear() { t.must("Clear", t.handle.Clear(t.ctx)) }

// close closes the backend before the case ends.
func (t *attempt) close() error {
	t.closed = true
	return t.cache.Close()
}

// hit records a failure if key does not hold want.
func (t *attempt) hit(when, key, want string) {
	got, ok := t.get(key)
	if !ok {
		t.wrong(when+": Get("+show(key)+")", text("a miss"), want)
	} else if got != want {
		t.wrong(when+": Get("+show(key)+")", got, want)
	}
}

// miss records a failure if key is present.
func (t *attempt) miss(when, key string) {
	if got, ok := t.get(key); ok {
		t.wrong(when+": Get("+show(key)+")", got, text("a miss"))
	}
}

// supports reports whether the backend has feature.
func (t *attempt) supports(feature Feature) bool {
	_, absent := t.absent[feature]
	return !absent
}

// cacheKey returns a key for calls on t.cache and its views: the key that a step
// with the same name uses. The key is removed after the case.
func (t *attempt) cacheKey(name string) string {
	t.handle.written.note(t.handle.prefix + name)
	return t.handle.prefix + name
}

// storedKey returns the key that the backend receives for name.
func (t *attempt) storedKey(name string) string { return t.handle.stored(name) }

// newCache returns another Cache over the same backend, with the same prefix.
func (t *attempt) newCache(options ...cache.Option) *cache.Cache {
	return cache.New(t.backend, append(options, cache.WithPrefix(t.handle.written.prefix))...)
}

// cacheHolds records a failure if t.cache does not hold want under key, a key
// of cacheKey. "" means a miss.
func (t *attempt) cacheHolds(key, want string) {
	got, _, err := t.cache.Get(t.ctx, key)
	t.must("Get("+show(key)+")", err)
	equal(t, "the value of "+show(key)+" afterwards", string(got), want)
}

// fewer returns n, or a fifth of n with -short or for a slow store, or a tenth for both.
func (t *attempt) fewer(n int) int {
	switch {
	case t.short && t.harness.Slow:
		return n / 10
	case t.short || t.harness.Slow:
		return n / 5
	}
	return n
}

// callsWithMany gives calls with n keys more time until they are taken for calls that hang,
// because a store without batches executes n calls in each. It returns a function that ends
// this.
func (t *attempt) callsWithMany(n int) (end func()) {
	more := int64(n) * int64(3*time.Millisecond)
	t.sleeping.Add(more)
	return func() { t.sleeping.Add(-more) }
}

// keys returns n keys that begin with name.
func keys(name string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%d", name, i)
	}
	return list
}

// sameItems returns a batch of keys that all have value.
func sameItems(keys []string, value string) map[string]string {
	items := make(map[string]string, len(keys))
	for _, key := range keys {
		items[key] = value
	}
	return items
}
