package conformance_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

// reference is a backend over a map and a lock. It has every optional method, and
// nothing in it is optimised.
type reference struct {
	*store
	closed bool

	// The counters of the store when the handle was opened.
	evictionsBefore, expirationsBefore int64
}

// store is what one or more handles share.
type store struct {
	mu      sync.Mutex
	entries map[string]entry
	most    int       // entries; 0 means no limit
	largest int       // bytes of a value; 0 means no limit
	longest int       // bytes of a key; 0 means no limit
	soonest time.Time // no entry expires before it

	leases    map[string]lease
	lastToken int

	watchers               map[*watcher]struct{}
	evictions, expirations int64
	queue                  int // notices that wait for a watcher
}

type entry struct {
	value   []byte
	expires time.Time // zero: never
	damaged bool
}

func newReference() *reference {
	return (&reference{store: &store{entries: map[string]entry{}, leases: map[string]lease{}, watchers: map[*watcher]struct{}{}, queue: 100}}).reopen()
}

func newBounded(most int) *reference {
	r := newReference()
	r.most = most
	return r
}

// referenceStores opens further stores for a harness of the reference.
var referenceStores = conformance.Stores{
	Reopen:  func(_ *testing.T, first driver.Backend) driver.Backend { return first.(*reference).reopen() },
	Bounded: func(_ *testing.T, most int) driver.Backend { return newBounded(most) },
	Damage:  func(_ *testing.T, b driver.Backend, key string) { b.(*reference).damage(key) },
}

func (r *reference) damage(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[key]
	e.damaged = true
	r.entries[key] = e
}

func (r *reference) reopen() *reference {
	return &reference{store: r.store, evictionsBefore: r.evictions, expirationsBefore: r.expirations}
}

// enter locks the store. Every method calls it first, and unlocks.
func (r *reference) enter() error {
	r.mu.Lock()
	if r.closed {
		return fmt.Errorf("reference: %w", driver.ErrClosed)
	}
	return nil
}

// enterKey is enter for an operation on key.
func (r *reference) enterKey(key string) error {
	if err := r.enter(); err != nil {
		return err
	}
	return r.checkKey(key)
}

// enterKeys is enter for a batch: one invalid key fails all of it.
func (r *reference) enterKeys(keys []string) error {
	if err := r.enter(); err != nil {
		return err
	}
	errs := make([]error, len(keys))
	for i, key := range keys {
		errs[i] = r.checkKey(key)
	}
	return driver.BatchOf(keys, errs)
}

func (r *reference) checkKey(key string) error {
	if r.longest > 0 && len(key) > r.longest {
		return fmt.Errorf("%w: %d bytes, at most %d", driver.ErrInvalidKey, len(key), r.longest)
	}
	return nil
}

func (r *reference) live(key string) (entry, bool) {
	e, ok := r.entries[key]
	return e, ok && !e.damaged && (e.expires.IsZero() || time.Now().Before(e.expires))
}

func (r *reference) checkValue(value []byte) error {
	if r.largest > 0 && len(value) > r.largest {
		return driver.ErrTooLarge
	}
	return nil
}

func (r *reference) put(key string, value []byte, ttl time.Duration) error {
	if err := r.checkValue(value); err != nil {
		return err
	}
	if value == nil {
		value = []byte{}
	}
	e := entry{value: value}
	if ttl > 0 {
		e.expires = time.Now().Add(ttl)
		if e.expires.Before(r.soonest) {
			r.soonest = e.expires
		}
	}
	if _, present := r.entries[key]; !present && r.most > 0 && len(r.entries) >= r.most {
		r.evict()
	}
	r.entries[key] = e
	delete(r.leases, key)
	r.changed(key)
	return nil
}

// evict removes the expired entries, or any one if none has expired.
func (r *reference) evict() {
	if time.Now().After(r.soonest) {
		r.soonest = time.Now().Add(math.MaxInt64)
		for key, e := range r.entries {
			if _, live := r.live(key); !live {
				delete(r.entries, key)
				r.expirations++
			} else if !e.expires.IsZero() && e.expires.Before(r.soonest) {
				r.soonest = e.expires
			}
		}
	}
	for key := range r.entries {
		if len(r.entries) < r.most {
			return
		}
		delete(r.entries, key)
		r.evictions++
		r.changed(key)
	}
}

func (r *reference) Get(_ context.Context, key string) ([]byte, bool, error) {
	defer r.mu.Unlock()
	if err := r.enterKey(key); err != nil {
		return nil, false, err
	}
	e, ok := r.live(key)
	if !ok {
		return nil, false, nil
	}
	return e.value, true, nil
}

func (r *reference) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	defer r.mu.Unlock()
	if err := r.enterKey(key); err != nil {
		return err
	}
	return r.put(key, value, ttl)
}

func (r *reference) Add(_ context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	defer r.mu.Unlock()
	if err := r.enterKey(key); err != nil {
		return false, err
	}
	if _, ok := r.live(key); ok {
		return false, nil
	}
	err := r.put(key, value, ttl)
	return err == nil, err
}

func (r *reference) remove(key string) {
	if _, present := r.entries[key]; present {
		r.changed(key)
	}
	delete(r.entries, key)
	delete(r.leases, key)
}

func (r *reference) Delete(_ context.Context, key string) (bool, error) {
	defer r.mu.Unlock()
	if err := r.enterKey(key); err != nil {
		return false, err
	}
	_, ok := r.live(key)
	r.remove(key)
	return ok, nil
}

func (r *reference) Clear(context.Context) error {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return err
	}
	clear(r.entries)
	clear(r.leases)
	r.loseAll(nil, errCleared)
	return nil
}

func (r *reference) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.loseAll(r, driver.ErrClosed)
	return nil
}

func (r *reference) Has(_ context.Context, key string) (bool, error) {
	defer r.mu.Unlock()
	if err := r.enterKey(key); err != nil {
		return false, err
	}
	_, ok := r.live(key)
	return ok, nil
}

func (r *reference) GetMany(_ context.Context, keys []string) ([][]byte, error) {
	defer r.mu.Unlock()
	if err := r.enterKeys(keys); err != nil {
		return make([][]byte, len(keys)), err
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		if e, ok := r.live(key); ok {
			values[i] = e.value
		}
	}
	return values, nil
}

func (r *reference) SetMany(_ context.Context, items []driver.Item, ttl time.Duration) error {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	defer r.mu.Unlock()
	if err := r.enterKeys(keys); err != nil {
		return err
	}
	var failed driver.BatchError
	for _, item := range items {
		if err := r.put(item.Key, item.Value, ttl); err != nil {
			failed.Fail(item.Key, err)
		}
	}
	return failed.ErrorOrNil()
}

func (r *reference) DeleteMany(_ context.Context, keys []string) ([]bool, error) {
	defer r.mu.Unlock()
	if err := r.enterKeys(keys); err != nil {
		return make([]bool, len(keys)), err
	}
	deleted := make([]bool, len(keys))
	for i, key := range keys {
		_, deleted[i] = r.live(key)
		r.remove(key)
	}
	return deleted, nil
}

func (r *reference) Inc(_ context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	defer r.mu.Unlock()
	if err := r.enterKey(key); err != nil {
		return 0, err
	}
	e, ok := r.live(key)
	if !ok {
		return delta, r.put(key, strconv.AppendInt(nil, delta, 10), ttl)
	}
	sum, err := driver.AddInteger(e.value, delta)
	if err != nil {
		return 0, err
	}
	e.value = strconv.AppendInt(nil, sum, 10)
	r.entries[key] = e
	r.changed(key)
	return sum, nil
}

func (r *reference) ClearPrefix(_ context.Context, prefix string) error {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return err
	}
	for key := range r.entries {
		if strings.HasPrefix(key, prefix) {
			r.remove(key)
		}
	}
	maps.DeleteFunc(r.leases, func(key string, _ lease) bool { return strings.HasPrefix(key, prefix) })
	return nil
}

func (r *reference) TTL(_ context.Context, key string) (time.Duration, bool, error) {
	defer r.mu.Unlock()
	if err := r.enterKey(key); err != nil {
		return 0, false, err
	}
	e, ok := r.live(key)
	if !ok || e.expires.IsZero() {
		return 0, ok, nil
	}
	return time.Until(e.expires), true, nil
}

func (r *reference) Ping(context.Context) error {
	defer r.mu.Unlock()
	return r.enter()
}

var (
	_ driver.Haser         = (*reference)(nil)
	_ driver.ManyGetter    = (*reference)(nil)
	_ driver.ManySetter    = (*reference)(nil)
	_ driver.ManyDeleter   = (*reference)(nil)
	_ driver.Counter       = (*reference)(nil)
	_ driver.PrefixClearer = (*reference)(nil)
	_ driver.TTLer         = (*reference)(nil)
	_ driver.Pinger        = (*reference)(nil)
)

// names returns the stored keys, for tests of what the suite leaves behind.
func (r *reference) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.entries))
}
