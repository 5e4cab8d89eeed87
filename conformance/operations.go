package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// operation is one call of a method with a key, for rules about every operation.
type operation struct {
	name  string
	needs Feature // "" if every backend supports it
	call  func(ctx context.Context, h *handle, key string) error
}

// keyOperations is ordered so that every operation has an effect, and all succeed
// when they begin with an absent key.
var keyOperations = []operation{
	{"Lease", Lease, func(ctx context.Context, h *handle, key string) error {
		_, err := h.acquire(ctx, key)
		return err
	}},
	{"Add", "", func(ctx context.Context, h *handle, key string) error {
		added, err := h.Add(ctx, key, []byte("1"), time.Hour)
		return expect(err, "added", added, true)
	}},
	{"Get", "", func(ctx context.Context, h *handle, key string) error {
		value, _, err := h.Get(ctx, key)
		return expect(err, "value", string(value), "1")
	}},
	{"Inc", Counter, func(ctx context.Context, h *handle, key string) error {
		sum, err := h.Inc(ctx, key, 4, time.Hour)
		return expect(err, "sum", sum, 5)
	}},
	{"Set", "", func(ctx context.Context, h *handle, key string) error {
		return h.Set(ctx, key, []byte("2"), time.Hour)
	}},
	{"Has", "", func(ctx context.Context, h *handle, key string) error {
		ok, err := h.Has(ctx, key)
		return expect(err, "has", ok, true)
	}},
	{"TTL", TTL, func(ctx context.Context, h *handle, key string) error {
		_, ok, err := h.TTL(ctx, key)
		return expect(err, "ok", ok, true)
	}},
	{"GetAppend", "", func(ctx context.Context, h *handle, key string) error {
		value, _, err := h.GetAppend(ctx, key, []byte(">"))
		return expect(err, "value", string(value), ">2")
	}},
	{"GetWithTTL", GetWithTTL, func(ctx context.Context, h *handle, key string) error {
		value, _, _, err := h.GetWithTTL(ctx, key)
		return expect(err, "value", string(value), "2")
	}},
	{"GetManyWithTTL", GetWithTTL, func(ctx context.Context, h *handle, key string) error {
		values, _, err := h.GetManyWithTTL(ctx, key, beside)
		if err != nil {
			return err
		}
		return expect(err, "value", string(values[0]), "2")
	}},
	{"GetMany", "", func(ctx context.Context, h *handle, key string) error {
		values, err := h.GetMany(ctx, key, beside)
		if err != nil {
			return err
		}
		return expect(err, "value", string(values[0]), "2")
	}},
	{"CompareAndSwap", Swap, func(ctx context.Context, h *handle, key string) error {
		swapped, err := h.CompareAndSwap(ctx, key, []byte("2"), []byte("3"), time.Hour)
		return expect(err, "swapped", swapped, true)
	}},
	{"Delete", "", func(ctx context.Context, h *handle, key string) error {
		deleted, err := h.Delete(ctx, key)
		return expect(err, "deleted", deleted, true)
	}},
	{"Fill", Lease, func(ctx context.Context, h *handle, key string) error {
		token, err := h.acquire(ctx, key)
		if err != nil {
			return err
		}
		filled, err := h.Fill(ctx, key, token, []byte("2"), time.Hour)
		return expect(err, "filled", filled, true)
	}},
	{"SetMany", "", func(ctx context.Context, h *handle, key string) error {
		return h.SetMany(ctx, map[string]string{key: "3", beside: "3"}, time.Hour)
	}},
	{"DeleteMany", "", func(ctx context.Context, h *handle, key string) error {
		deleted, err := h.DeleteMany(ctx, key, beside)
		return expect(err, "deleted keys", len(deleted), 2)
	}},
	{"Release", Lease, func(ctx context.Context, h *handle, key string) error {
		token, err := h.acquire(ctx, key)
		if err != nil {
			return err
		}
		return h.Release(ctx, key, token)
	}},
}

// beside is the second key of each batch in keyOperations.
const beside = "beside"

// allOperations adds the operations that are not about one key. Clear may return
// ErrUnsupported.
var allOperations = append(keyOperations[:len(keyOperations):len(keyOperations)],
	operation{"ClearPrefix", PrefixClear, func(ctx context.Context, h *handle, key string) error { return h.ClearPrefix(ctx, key) }},
	operation{"Clear", "", func(ctx context.Context, h *handle, _ string) error { return h.Clear(ctx) }},
	operation{"Stats", Stats, func(ctx context.Context, h *handle, _ string) error { return h.Stats(ctx) }},
	operation{"Scan", Scan, func(ctx context.Context, h *handle, key string) error {
		for _, err := range h.Scan(ctx, key) {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	operation{"Watch", Watch, func(ctx context.Context, h *handle, key string) error {
		return watchUntilReady(ctx, h.direct(), h.stored(key))
	}},
	operation{"Ping", "", func(ctx context.Context, h *handle, _ string) error { return h.Ping(ctx) }})

// isOfCache reports whether Cache has the operation, and not only the backend.
func (op operation) isOfCache() bool { return op.needs != GetWithTTL && op.needs != Watch }

// ofCache returns the supported operations that Cache has.
func (t *attempt) ofCache(operations []operation) []operation {
	return slices.DeleteFunc(t.supported(operations), func(op operation) bool { return !op.isOfCache() })
}

// errResult marks an operation that returned no error, but a wrong result.
var errResult = errors.New("wrong result")

func expect[V comparable](err error, what string, got, want V) error {
	if err == nil && got != want {
		return fmt.Errorf("%w: %s is %v, want %v", errResult, what, got, want)
	}
	return err
}

// supported returns the operations that the backend supports.
func (t *attempt) supported(operations []operation) []operation {
	var list []operation
	for _, op := range operations {
		if op.needs == "" || t.supports(op.needs) {
			list = append(list, op)
		}
	}
	return list
}

// keyWorksOrIsInvalid calls every operation with key. All must work, or all must
// return ErrInvalidKey. It reports which.
func (t *attempt) keyWorksOrIsInvalid(key string) (works bool) {
	var invalid, others []string
	for _, op := range t.supported(keyOperations) {
		err := op.call(t.ctx, t.handle, key)
		if errors.Is(err, driver.ErrInvalidKey) {
			invalid = append(invalid, op.name)
			continue
		}
		others = append(others, op.name)
		if invalid == nil { // otherwise the result may be wrong because another operation did nothing
			t.must(op.name+" with the key "+show(key), err)
		}
	}
	if invalid != nil && others != nil {
		t.wrong("all operations with the key "+show(key),
			text("ErrInvalidKey from "+strings.Join(invalid, ", ")+", but not from "+strings.Join(others, ", ")),
			text("ErrInvalidKey from all, or from none"))
	}
	return invalid == nil
}

// keyWorks calls every operation with key, all of which must work, unless the
// alphabet of the store does not spell key.
func (t *attempt) keyWorks(key string) {
	if !t.harness.Limits.spells(key) {
		return
	}
	if !t.keyWorksOrIsInvalid(key) {
		t.wrong("all operations with the key "+show(key), driver.ErrInvalidKey, text("they work"))
	}
}

// keyIsInvalid calls every operation with key, all of which must return
// ErrInvalidKey.
func (t *attempt) keyIsInvalid(key string) {
	if t.keyWorksOrIsInvalid(key) {
		t.wrong("all operations with the key "+show(key), text("they work"), driver.ErrInvalidKey)
	}
}

// keysAreDistinct stores a different value under each key that the store
// accepts, and reads them when all are stored.
func (t *attempt) keysAreDistinct(keys ...string) {
	stored := map[string]string{}
	for i, key := range keys {
		if t.keyWorksOrIsInvalid(key) {
			stored[key] = fmt.Sprint(i)
			t.set(key, stored[key], time.Hour)
		}
	}
	var list []string
	for key, value := range stored {
		t.hit("with similar keys stored", key, value)
		list = append(list, key)
	}
	for i, value := range t.getMany(list...) {
		equal(t, "GetMany at the position of "+show(list[i]), string(value), stored[list[i]])
	}
	for _, key := range list {
		equal(t, "Delete("+show(key)+")", t.delete(key), true)
	}
}
