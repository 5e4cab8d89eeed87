package conformance_test

import (
	"bytes"
	"context"
	"iter"
	"strconv"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

// reusing is a mutant that stores values in memory that a map keeps by length.
func reusing(change func(m *mutant, pool map[int][][]byte)) mutant {
	return mutant{build: func() mutant {
		m, pool := mutant{}, map[int][][]byte{}
		take := func(value []byte) []byte {
			n := len(value)
			if n == 0 || len(pool[n]) == 0 {
				return value
			}
			memory := pool[n][0]
			pool[n] = pool[n][1:]
			copy(memory, value)
			return memory
		}
		m.set = func(r *reference, key string, value []byte, ttl time.Duration) error {
			return r.Set(ctx, key, take(value), ttl)
		}
		m.add = func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
			return r.Add(ctx, key, take(value), ttl)
		}
		change(&m, pool)
		return m
	}}
}

// free puts the memory of key into pool.
func free(r *reference, pool map[int][][]byte, key string) {
	if e, ok := remains(r, key); ok {
		pool[len(e.value)] = append(pool[len(e.value)], e.value)
	}
}

// inPlace replaces the value of key by one of the same length, in the same memory.
func inPlace(r *reference, key string, value []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, live := r.live(key)
	if !live || len(e.value) != len(value) {
		return false
	}
	copy(e.value, value)
	return true
}

// memoryMutants write to memory that they have returned or received.
var memoryMutants = []defect{
	{"an overwrite uses the memory of the entry", "VAL-19", []string{"VAL-20"}, mutant{
		set: func(r *reference, key string, value []byte, ttl time.Duration) error {
			if inPlace(r, key, value) {
				e, _ := remains(r, key)
				value = e.value
			}
			return r.Set(ctx, key, value, ttl)
		}}},
	{"SetMany uses the memory of the entries", "VAL-19", []string{"VAL-20"}, mutant{
		setMany: func(r *reference, items []driver.Item, ttl time.Duration) error {
			for i, item := range items {
				if inPlace(r, item.Key, item.Value) {
					e, _ := remains(r, item.Key)
					items[i].Value = e.value
				}
			}
			return r.SetMany(ctx, items, ttl)
		}}},
	{"Inc writes in place", "VAL-19", []string{"VAL-20"}, mutant{
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
			old, _ := remains(r, key)
			sum, err := r.Inc(ctx, key, delta, ttl)
			if err == nil && len(old.value) == len(strconv.FormatInt(sum, 10)) {
				strconv.AppendInt(old.value[:0], sum, 10)
			}
			return sum, err
		}}},
	{"Inc writes into the capacity of the value", "VAL-20", []string{"VAL-19"}, mutant{
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
			old, _ := remains(r, key)
			sum, err := r.Inc(ctx, key, delta, ttl)
			if err == nil && len(old.value) > len(strconv.FormatInt(sum, 10)) {
				strconv.AppendInt(old.value[:0], sum, 10)
			}
			return sum, err
		}}},
	{"CompareAndSwap writes in place", "VAL-19", []string{"VAL-20"}, mutant{
		swap: func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error) {
			e, _ := remains(r, key)
			swapped, err := r.CompareAndSwap(ctx, key, old, value, ttl)
			if swapped && len(e.value) == len(value) {
				copy(e.value, value)
			}
			return swapped, err
		}}},
	{"Delete clears the value", "VAL-19", []string{"VAL-20"}, mutant{
		del: func(r *reference, key string) (bool, error) {
			e, _ := remains(r, key)
			deleted, err := r.Delete(ctx, key)
			clear(e.value)
			return deleted, err
		}}},
	{"the memory of deleted entries is used again", "VAL-19", []string{"VAL-20"}, reusing(func(m *mutant, pool map[int][][]byte) {
		m.del = func(r *reference, key string) (bool, error) {
			free(r, pool, key)
			return r.Delete(ctx, key)
		}
	})},
	{"the memory of replaced entries is used again", "VAL-19", []string{"VAL-20"}, reusing(func(m *mutant, pool map[int][][]byte) {
		set := m.set
		m.set = func(r *reference, key string, value []byte, ttl time.Duration) error {
			old, had := remains(r, key)
			err := set(r, key, value, ttl)
			if had {
				pool[len(old.value)] = append(pool[len(old.value)], old.value)
			}
			return err
		}
	})},
	{"the memory of cleared entries is used again", "VAL-19", []string{"VAL-20"}, reusing(func(m *mutant, pool map[int][][]byte) {
		m.clear = func(r *reference) error {
			for _, key := range r.names() {
				free(r, pool, key)
			}
			return r.Clear(ctx)
		}
	})},
	{"Lease reads into one buffer", "VAL-19", []string{"LSE-18"}, mutant{build: func() mutant {
		buffer := make([]byte, 0, 512<<10)
		return mutant{lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
			value, ok, token, err := r.Lease(ctx, key, hold)
			if ok {
				value = append(buffer[:0], value...)
			}
			return value, ok, token, err
		}}
	}}},
	{"GetWithTTL reads into one buffer", "VAL-19", []string{"LIF-5"}, mutant{build: func() mutant {
		buffer := make([]byte, 0, 512<<10)
		return mutant{oneTTL: func(r *reference, key string) ([]byte, time.Duration, bool, error) {
			value, ttl, ok, err := r.GetWithTTL(ctx, key)
			return append(buffer[:0], value...), ttl, ok, err
		}}
	}}},
	{"Set encodes in the memory of its caller", "VAL-20", nil, mutant{
		set: func(r *reference, key string, value []byte, ttl time.Duration) error {
			stored := bytes.Clone(value)
			for i := range value {
				value[i] ^= 0x20
			}
			return r.Set(ctx, key, stored, ttl)
		}}},
	{"Fill clears what it has stored", "VAL-20", nil, mutant{
		fill: func(r *reference, key, token string, value []byte, ttl time.Duration) (bool, error) {
			filled, err := r.Fill(ctx, key, token, bytes.Clone(value), ttl)
			clear(value)
			return filled, err
		}}},
	{"CompareAndSwap swaps the memory of its arguments", "VAL-20", nil, mutant{
		swap: func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error) {
			swapped, err := r.CompareAndSwap(ctx, key, old, bytes.Clone(value), ttl)
			if swapped {
				copy(old, value)
			}
			return swapped, err
		}}},
}

func TestMemoryMutants(t *testing.T) {
	skipUnderRace(t)
	for _, m := range memoryMutants {
		t.Run(m.defect, func(t *testing.T) {
			t.Parallel()
			about := func(c conformance.Case) bool { return c.ID == "VAL-19" || c.ID == "VAL-20" }
			check(t, conformance.Verdicts(t, m.mutant.harness(), about), m.rule, m.also)
		})
	}
}

// A bounded store that uses the memory of evicted entries again.
func TestMemoryOfEvictedEntries(t *testing.T) {
	h := conformance.Harness{
		New:    func(*testing.T) driver.Backend { return newReference() },
		Bubble: true,
		Stores: conformance.Stores{Bounded: func(_ *testing.T, most int) driver.Backend {
			return &mutant{reference: newBounded(most), set: func(r *reference, key string, value []byte, ttl time.Duration) error {
				r.mu.Lock()
				for victim, e := range r.entries {
					if len(r.entries) >= r.most && len(e.value) == len(value) {
						copy(e.value, value)
						value = e.value
						delete(r.entries, victim)
						break
					}
				}
				r.mu.Unlock()
				return r.Set(ctx, key, value, ttl)
			}}
		}},
	}
	check(t, conformance.Verdicts(t, h, func(c conformance.Case) bool { return c.ID == "VAL-19" }), "VAL-19", nil)
}

// isDamaged reports whether the entry of key is damaged.
func isDamaged(r *reference, key string) bool {
	e, _ := remains(r, key)
	return e.damaged
}

func TestMutantsOfDamagedEntries(t *testing.T) {
	skipUnderRace(t)
	for defect, m := range map[string]mutant{
		"": {get: func(r *reference, key string) ([]byte, bool, error) { // allowed
			if isDamaged(r, key) {
				return nil, false, driver.ErrCorrupt
			}
			return r.Get(ctx, key)
		}},
		"Has finds it": {has: func(r *reference, key string) (bool, error) {
			if isDamaged(r, key) {
				return true, nil
			}
			return r.Has(ctx, key)
		}},
		"Add finds it": {add: func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
			if isDamaged(r, key) {
				return false, nil
			}
			return r.Add(ctx, key, value, ttl)
		}},
		"Delete reports it": {del: func(r *reference, key string) (bool, error) {
			damaged := isDamaged(r, key)
			deleted, err := r.Delete(ctx, key)
			return deleted || damaged, err
		}},
		"Lease fails": {lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
			if isDamaged(r, key) {
				return nil, false, "", driver.ErrCorrupt
			}
			return r.Lease(ctx, key, hold)
		}},
		"Lease grants nothing": {lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
			if isDamaged(r, key) {
				return nil, false, "", nil
			}
			return r.Lease(ctx, key, hold)
		}},
		"Scan ends at it": {scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
			return func(yield func(driver.Entry, error) bool) {
				for _, key := range r.names() {
					if isDamaged(r, key) {
						yield(driver.Entry{}, driver.ErrCorrupt)
						return
					}
				}
				r.Scan(ctx, prefix)(yield)
			}
		}},
		"Get is an outage": {get: func(r *reference, key string) ([]byte, bool, error) {
			if isDamaged(r, key) {
				return nil, false, context.DeadlineExceeded
			}
			return r.Get(ctx, key)
		}},
	} {
		t.Run(defect, func(t *testing.T) {
			h := m.harness()
			h.Stores.Damage = func(_ *testing.T, b driver.Backend, key string) { b.(*mutant).damage(key) }
			failing := conformance.Verdicts(t, h, func(c conformance.Case) bool { return c.ID == "BAS-15" }).Failing()
			if fails := len(failing) > 0; fails == (defect == "") {
				t.Errorf("failing: %q", failing)
			}
		})
	}
}
