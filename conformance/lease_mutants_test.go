package conformance_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

func (m *mutant) Lease(ctx context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	defer m.alone()()
	if m.lease != nil {
		return m.lease(m.reference, m.k(key), hold)
	}
	return m.reference.Lease(ctx, m.k(key), hold)
}

func (m *mutant) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	defer m.alone()()
	if m.fill != nil {
		return m.fill(m.reference, m.k(key), token, value, m.life(ttl))
	}
	return m.reference.Fill(ctx, m.k(key), token, value, m.life(ttl))
}

func (m *mutant) Release(ctx context.Context, key, token string) error {
	defer m.alone()()
	if m.release != nil {
		return m.release(m.reference, m.k(key), token)
	}
	return m.reference.Release(ctx, m.k(key), token)
}

func (m *mutant) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	defer m.alone()()
	if m.swap != nil {
		return m.swap(m.reference, m.k(key), old, value, m.life(ttl))
	}
	return m.reference.CompareAndSwap(ctx, m.k(key), old, value, m.life(ttl))
}

// usesOthers reports whether the rule that failed is one of a group whose rules call
// all methods, and the defect is not of this group.
func usesOthers(defect, failed string) bool {
	group := groupOf(failed)
	return group != groupOf(defect) && slices.Contains([]string{"APP", "LIF", "LSE", "MEM", "STA", "SWP", "WAT"}, group)
}

func groupOf(id string) string {
	if id == "VAL-19" || id == "VAL-20" {
		return "MEM"
	}
	group, _, _ := strings.Cut(id, "-")
	return group
}

// keyRules are the rules that call all operations with one key after the other.
var keyRules = []string{"KEY-2", "KEY-3", "KEY-4", "KEY-5", "KEY-6", "KEY-7", "KEY-8", "KEY-9", "KEY-10", "KEY-12", "KEY-16", "KEY-17", "KEY-18", "KEY-20"}

// keepLease calls write, which ends the lease of key, and takes the lease back.
func (r *reference) keepLease(key string, write func()) {
	r.mu.Lock()
	l, leased := r.leases[key]
	r.mu.Unlock()
	write()
	r.mu.Lock()
	defer r.mu.Unlock()
	if leased {
		r.leases[key] = l
	}
}

// keepLeases is keepLease for all keys.
func (r *reference) keepLeases(write func()) {
	r.mu.Lock()
	leases := maps.Clone(r.leases)
	r.mu.Unlock()
	write()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leases = leases
}

// isLeased reports whether key is leased.
func (r *reference) isLeased(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leased(key) != ""
}

// leaseMutants is mutants for the rules about leases and compare-and-swap.
var leaseMutants = []struct {
	defect string
	rule   string
	also   []string
	mutant mutant
}{
	{"Fill ignores the token", "LSE-3", []string{"LSE-2", "LSE-5", "LSE-9", "LSE-10", "LSE-16", "LSE-17", "LSE-18"}, mutant{
		fill: func(r *reference, key, _ string, value []byte, ttl time.Duration) (bool, error) {
			err := r.Set(ctx, key, value, ttl)
			return err == nil, err
		}}},
	{"Set keeps the lease", "LSE-3", []string{"LSE-10"}, mutant{
		set: func(r *reference, key string, value []byte, ttl time.Duration) (err error) {
			r.keepLease(key, func() { err = r.Set(ctx, key, value, ttl) })
			return err
		}}},
	{"Set with a short ttl keeps the lease", "LSE-10", nil, mutant{
		set: func(r *reference, key string, value []byte, ttl time.Duration) (err error) {
			if ttl == 0 || ttl > time.Minute {
				return r.Set(ctx, key, value, ttl)
			}
			r.keepLease(key, func() { err = r.Set(ctx, key, value, ttl) })
			return err
		}}},
	{"Add keeps the lease", "LSE-3", []string{"LSE-10"}, mutant{
		add: func(r *reference, key string, value []byte, ttl time.Duration) (added bool, err error) {
			r.keepLease(key, func() { added, err = r.Add(ctx, key, value, ttl) })
			return added, err
		}}},
	{"Inc keeps the lease", "LSE-3", []string{"LSE-10"}, mutant{
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (sum int64, err error) {
			r.keepLease(key, func() { sum, err = r.Inc(ctx, key, delta, ttl) })
			return sum, err
		}}},
	{"Delete keeps the lease", "LSE-3", []string{"LSE-10"}, mutant{
		del: func(r *reference, key string) (deleted bool, err error) {
			r.keepLease(key, func() { deleted, err = r.Delete(ctx, key) })
			return deleted, err
		}}},
	{"Delete keeps the lease of an absent key", "LSE-3", []string{"LSE-10"}, mutant{
		del: func(r *reference, key string) (bool, error) {
			if present, err := r.Has(ctx, key); !present || err != nil {
				return false, err
			}
			return r.Delete(ctx, key)
		}}},
	{"Clear keeps the leases", "LSE-9", nil, mutant{
		clear: func(r *reference) (err error) {
			r.keepLeases(func() { err = r.Clear(ctx) })
			return err
		}}},
	{"ClearPrefix keeps the leases", "LSE-16", []string{"LSE-9"}, mutant{
		prefix: func(r *reference, prefix string) (err error) {
			r.keepLeases(func() { err = r.ClearPrefix(ctx, prefix) })
			return err
		}}},
	{"ClearPrefix ends all leases", "LSE-16", nil, mutant{
		prefix: func(r *reference, prefix string) error {
			r.mu.Lock()
			clear(r.leases)
			r.mu.Unlock()
			return r.ClearPrefix(ctx, prefix)
		}}},
	{"a lease refuses Add", "LSE-4", append([]string{"LSE-3", "LSE-10"}, keyRules...), mutant{
		add: func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
			if r.isLeased(key) {
				return false, nil
			}
			return r.Add(ctx, key, value, ttl)
		}}},
	{"Get shows a lease", "LSE-4", []string{"LSE-12"}, mutant{
		get: func(r *reference, key string) ([]byte, bool, error) {
			if r.isLeased(key) {
				return []byte{}, true, nil
			}
			return r.Get(ctx, key)
		}}},
	{"Has shows a lease", "LSE-4", nil, mutant{
		has: func(r *reference, key string) (bool, error) {
			if r.isLeased(key) {
				return true, nil
			}
			return r.Has(ctx, key)
		}}},
	{"TTL shows a lease", "LSE-4", nil, mutant{
		left: func(r *reference, key string) (time.Duration, bool, error) {
			if r.isLeased(key) {
				return time.Second, true, nil
			}
			return r.TTL(ctx, key)
		}}},
	{"GetMany shows a lease", "LSE-4", nil, mutant{
		getMany: func(r *reference, keys []string) ([][]byte, error) {
			values, err := r.GetMany(ctx, keys)
			for i, key := range keys {
				if r.isLeased(key) {
					values[i] = []byte{}
				}
			}
			return values, err
		}}},
	{"Delete reports a lease", "LSE-4", []string{"LSE-3"}, mutant{
		del: func(r *reference, key string) (bool, error) {
			leased := r.isLeased(key)
			deleted, err := r.Delete(ctx, key)
			return deleted || leased, err
		}}},
	{"CompareAndSwap replaces a lease", "LSE-4", nil, mutant{
		swap: func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error) {
			if len(old) == 0 && r.isLeased(key) {
				return true, r.Set(ctx, key, value, ttl)
			}
			return r.CompareAndSwap(ctx, key, old, value, ttl)
		}}},
	{"Fill keeps the lease", "LSE-5", []string{"LSE-10"}, mutant{
		fill: func(r *reference, key, token string, value []byte, ttl time.Duration) (filled bool, err error) {
			r.keepLease(key, func() { filled, err = r.Fill(ctx, key, token, value, ttl) })
			return filled, err
		}}},
	{"all tokens are the same", "LSE-5", []string{"LSE-2", "LSE-17", "LSE-18"}, mutant{
		lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
			value, ok, token, err := r.Lease(ctx, key, hold)
			if token == "" {
				return value, ok, "", err
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			l := r.leases[key]
			l.token = "same"
			r.leases[key] = l
			return value, ok, "same", err
		}}},
	{"Release does nothing", "LSE-5", nil, mutant{
		release: func(r *reference, key, token string) error { return r.Ping(ctx) }}},
	{"Release ignores the token", "LSE-17", []string{"LSE-2", "LSE-5"}, mutant{
		release: func(r *reference, key, _ string) error {
			r.mu.Lock()
			token := r.leased(key)
			r.mu.Unlock()
			return r.Release(ctx, key, token)
		}}},
	{"Lease waits for the holder", "LSE-7", nil, mutant{
		lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
			// In real time this would take too long. The time in a bubble begins in 2000.
			for end := time.Now().Add(hold); r.isLeased(key) && time.Now().Year() == 2000 && time.Now().Before(end); {
				time.Sleep(hold / 100)
			}
			return r.Lease(ctx, key, hold)
		}}},
	{"a lease does not end", "LSE-2", []string{"LSE-10"}, mutant{
		lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
			return r.Lease(ctx, key, 1000*hold)
		}}},
	{"hold is too short", "LSE-2", nil, mutant{
		lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
			return r.Lease(ctx, key, hold/3)
		}}},
	{"Fill stores over an entry", "LSE-3", nil, mutant{build: func() mutant {
		var granted sync.Map
		return mutant{
			lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
				value, ok, token, err := r.Lease(ctx, key, hold)
				if token != "" {
					granted.Store(key, token)
				}
				return value, ok, token, err
			},
			fill: func(r *reference, key, token string, value []byte, ttl time.Duration) (bool, error) {
				present, err := r.Has(ctx, key)
				if present && granted.CompareAndDelete(key, token) {
					return true, r.Set(ctx, key, value, ttl)
				}
				if err != nil {
					return false, err
				}
				filled, err := r.Fill(ctx, key, token, value, ttl)
				if filled {
					granted.Delete(key)
				}
				return filled, err
			},
		}
	}}},
	{"a refused Fill removes the entry", "LSE-3", []string{"LSE-2", "LSE-5", "LSE-17", "LSE-18"}, mutant{
		fill: func(r *reference, key, token string, value []byte, ttl time.Duration) (bool, error) {
			filled, err := r.Fill(ctx, key, token, value, ttl)
			if !filled && err == nil {
				r.Delete(ctx, key)
			}
			return filled, err
		}}},
	{"Fill drops the ttl", "LSE-12", []string{"LIF-1", "LSE-3", "LSE-10"}, mutant{
		fill: func(r *reference, key, token string, value []byte, _ time.Duration) (bool, error) {
			return r.Fill(ctx, key, token, value, 0)
		}}},
	{"Fill does not store an empty value", "LSE-12", nil, mutant{
		fill: func(r *reference, key, token string, value []byte, ttl time.Duration) (bool, error) {
			if len(value) == 0 {
				return true, r.Release(ctx, key, token)
			}
			return r.Fill(ctx, key, token, value, ttl)
		}}},
	{"similar keys share a lease", "LSE-18", nil, mutant{
		lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
			r.mu.Lock()
			for other := range r.leases {
				if other != key && strings.EqualFold(other, key) && r.leased(other) != "" {
					r.mu.Unlock()
					return nil, false, "", nil
				}
			}
			r.mu.Unlock()
			return r.Lease(ctx, key, hold)
		}}},
	{"Lease of a present key returns a token", "LSE-11", []string{"LSE-7"}, mutant{
		lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
			value, ok, token, err := r.Lease(ctx, key, hold)
			if ok {
				token = "token"
			}
			return value, ok, token, err
		}}},
	{"Lease treats an empty value as absent", "LSE-11", nil, mutant{
		lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
			if value, ok, _ := r.Get(ctx, key); ok && len(value) == 0 {
				r.Delete(ctx, key)
			}
			return r.Lease(ctx, key, hold)
		}}},
	{"Lease of an invalid token is an error", "LSE-17", nil, mutant{
		fill: func(r *reference, key, token string, value []byte, ttl time.Duration) (bool, error) {
			if strings.Contains(token, "\r\n") {
				return false, context.Canceled
			}
			return r.Fill(ctx, key, token, value, ttl)
		}}},
	{"Lease checks and then takes", "LSE-1", nil, mutant{racy: true,
		lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
			value, ok, err := r.Get(ctx, key)
			leased := r.isLeased(key)
			if ok || err != nil || leased {
				return value, ok, "", err
			}
			gap()
			r.mu.Lock()
			delete(r.leases, key)
			r.mu.Unlock()
			return r.Lease(ctx, key, hold)
		}}},
	{"Fill checks and then stores", "LSE-8", nil, mutant{racy: true,
		fill: func(r *reference, key, token string, value []byte, ttl time.Duration) (bool, error) {
			r.mu.Lock()
			valid := token != "" && r.leased(key) == token
			r.mu.Unlock()
			if !valid {
				return r.Fill(ctx, key, "", value, ttl)
			}
			gap()
			err := r.Set(ctx, key, value, ttl)
			return err == nil, err
		}}},
	{"Delete removes the entry and then the lease", "LSE-8", nil, mutant{racy: true,
		del: func(r *reference, key string) (deleted bool, err error) {
			r.keepLease(key, func() { deleted, err = r.Delete(ctx, key) })
			gap()
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.leases, key)
			return deleted, err
		}}},
	{"Delete keeps the lease of a key that has expired", "LSE-21", nil, mutant{
		del: func(r *reference, key string) (deleted bool, err error) {
			_, expired := remains(r, key)
			if present, _ := r.Has(ctx, key); present || !expired {
				return r.Delete(ctx, key)
			}
			r.keepLease(key, func() { deleted, err = r.Delete(ctx, key) })
			return deleted, err
		}}},
	{"SetMany ends the lease of its first key", "LSE-3", []string{"BAT-7", "LSE-10", "LSE-21"}, mutant{
		setMany: func(r *reference, items []driver.Item, ttl time.Duration) (err error) {
			if len(items) < 2 {
				return r.SetMany(ctx, items, ttl)
			}
			errFirst := r.SetMany(ctx, items[:1], ttl)
			for _, item := range items[1:] {
				r.keepLease(item.Key, func() { err = errors.Join(err, r.Set(ctx, item.Key, item.Value, ttl)) })
			}
			return errors.Join(errFirst, err)
		}}},
	{"DeleteMany ends the lease of its first key", "LSE-3", []string{"LSE-21"}, mutant{
		delMany: func(r *reference, keys []string) ([]bool, error) {
			deleted := make([]bool, len(keys))
			if len(keys) == 0 {
				return deleted, nil
			}
			first, err := r.Delete(ctx, keys[0])
			deleted[0] = first
			for i, key := range keys[1:] {
				r.keepLease(key, func() {
					var errDelete error
					deleted[i+1], errDelete = r.Delete(ctx, key)
					err = errors.Join(err, errDelete)
				})
			}
			return deleted, err
		}}},
	{"Fill without expiry keeps the token", "LSE-21", nil, mutant{build: func() mutant {
		used := map[string]string{}
		return mutant{fill: func(r *reference, key, token string, value []byte, ttl time.Duration) (bool, error) {
			filled, err := r.Fill(ctx, key, token, value, ttl)
			if filled && ttl == 0 {
				used[key] = token
			}
			if present, errHas := r.Has(ctx, key); !filled && !present && errHas == nil && token != "" && used[key] == token {
				return true, r.Set(ctx, key, value, ttl)
			}
			return filled, err
		}}
	}}},
	{"a lease of an expired entry is not granted again", "LSE-21", nil, mutant{
		lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
			_, remains := remains(r, key)
			if present, err := r.Has(ctx, key); remains && !present && err == nil && hold < time.Second {
				return r.Lease(ctx, key, time.Hour)
			}
			return r.Lease(ctx, key, hold)
		}}},
	{"CompareAndSwap fails after Inc", "MOD-1", nil, mutant{build: func() mutant {
		counted := keySet{}
		return mutant{
			inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
				counted.add(key)
				return r.Inc(ctx, key, delta, ttl)
			},
			set: func(r *reference, key string, value []byte, ttl time.Duration) error {
				delete(counted, key)
				return r.Set(ctx, key, value, ttl)
			},
			del: func(r *reference, key string) (bool, error) { delete(counted, key); return r.Delete(ctx, key) },
			swap: func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error) {
				if counted[key] {
					return false, r.Ping(ctx)
				}
				return r.CompareAndSwap(ctx, key, old, value, ttl)
			},
		}
	}}},
	{"GetAppend returns what CompareAndSwap has replaced", "MOD-1", nil, mutant{build: func() mutant {
		replaced := map[string][]byte{}
		return mutant{
			swap: func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error) {
				swapped, err := r.CompareAndSwap(ctx, key, old, value, ttl)
				if swapped {
					replaced[key] = bytes.Clone(old)
				}
				return swapped, err
			},
			append: func(r *reference, key string, dst []byte) ([]byte, bool, error) {
				old, was := replaced[key]
				extended, ok, err := r.GetAppend(ctx, key, dst)
				if ok && was {
					return append(dst, old...), true, nil
				}
				return extended, ok, err
			},
		}
	}}},
	{"Add is refused where Fill has stored before", "MOD-2", nil, mutant{build: func() mutant {
		filled := keySet{}
		return mutant{
			fill: func(r *reference, key, token string, value []byte, ttl time.Duration) (bool, error) {
				ok, err := r.Fill(ctx, key, token, value, ttl)
				if ok && strings.Contains(key, "-by-Fill-") {
					filled.add(key)
				}
				return ok, err
			},
			add: func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
				if filled[key] {
					return false, r.Ping(ctx)
				}
				return r.Add(ctx, key, value, ttl)
			},
		}
	}}},
	{"Lease does not find what SetMany has stored", "MOD-2", nil, mutant{build: func() mutant {
		batch := keySet{}
		return mutant{
			setMany: func(r *reference, items []driver.Item, ttl time.Duration) error {
				batch.add(keysOf(items)...)
				return r.SetMany(ctx, items, ttl)
			},
			lease: func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error) {
				if batch[key] {
					delete(batch, key)
					r.Delete(ctx, key)
				}
				return r.Lease(ctx, key, hold)
			},
		}
	}}},
	{"CompareAndSwap finds an expired counter", "MOD-2", nil, mutant{
		swap: func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error) {
			if e, left := remains(r, key); left && string(e.value) == "7" && bytes.Equal(old, e.value) && strings.Contains(key, "by-Inc") {
				return true, r.Set(ctx, key, value, ttl)
			}
			return r.CompareAndSwap(ctx, key, old, value, ttl)
		}}},
	{"CompareAndSwap ignores the old value", "SWP-2", nil, mutant{
		swap: func(r *reference, key string, _, value []byte, ttl time.Duration) (bool, error) {
			old, _, err := r.Get(ctx, key)
			if err != nil {
				return false, err
			}
			return r.CompareAndSwap(ctx, key, old, value, ttl)
		}}},
	{"CompareAndSwap compares the beginning", "SWP-2", nil, mutant{
		swap: func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error) {
			if now, ok, err := r.Get(ctx, key); ok && err == nil && bytes.HasPrefix(now, old) {
				old = now
			}
			return r.CompareAndSwap(ctx, key, old, value, ttl)
		}}},
	{"CompareAndSwap of an absent key stores", "SWP-3", []string{"LSE-4"}, mutant{
		swap: func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error) {
			if added, err := r.Add(ctx, key, value, ttl); added || err != nil {
				return added, err
			}
			return r.CompareAndSwap(ctx, key, old, value, ttl)
		}}},
	{"CompareAndSwap keeps the TTL", "SWP-1", []string{"LIF-1", "LSE-3", "LSE-10", "SWP-3"}, mutant{
		swap: func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error) {
			if left, ok, _ := r.TTL(ctx, key); ok {
				ttl = left
			}
			return r.CompareAndSwap(ctx, key, old, value, ttl)
		}}},
	{"CompareAndSwap compares and then sets", "SWP-4", nil, mutant{racy: true,
		swap: func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error) {
			if now, ok, err := r.Get(ctx, key); err != nil || !ok || !bytes.Equal(now, old) {
				return false, err
			}
			gap()
			err := r.Set(ctx, key, value, ttl)
			return err == nil, err
		}}},
	{"CompareAndSwap does not check the size", "SWP-6", nil, mutant{
		swap: func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error) {
			if len(value) > largest {
				return false, r.Ping(ctx)
			}
			return r.CompareAndSwap(ctx, key, old, value, ttl)
		}}},
}

func TestLeaseMutants(t *testing.T) {
	skipUnderRace(t)
	for _, m := range leaseMutants {
		t.Run(m.defect, func(t *testing.T) {
			t.Parallel()
			// LSE-21 and CLR-1 call all of these methods with keys of every history.
			caught(t, m.rule, append(m.also, "LSE-21", "CLR-1"), m.mutant.harness())
		})
	}
}

// keeper is the reference with values without encoding: an entry is the name of a value.
type keeper struct {
	*mutant
	values *sync.Map
}

func newKeeper(m mutant) *keeper {
	m.reference, m.step = newReference(), new(sync.Mutex)
	return &keeper{&m, new(sync.Map)}
}

// keep returns the name of value.
func (k *keeper) keep(value any) []byte {
	name := rand.Text()
	k.values.Store(name, value)
	return []byte(name)
}

func (k *keeper) kept(name []byte) any {
	value, _ := k.values.Load(string(name))
	return value
}

func (k *keeper) GetValue(ctx context.Context, key string) (any, bool, error) {
	name, ok, err := k.Get(ctx, key)
	return k.kept(name), ok, err
}

func (k *keeper) SetValue(ctx context.Context, key string, value any, ttl time.Duration) error {
	return k.Set(ctx, key, k.keep(value), ttl)
}

func (k *keeper) AddValue(ctx context.Context, key string, value any, ttl time.Duration) (bool, error) {
	return k.Add(ctx, key, k.keep(value), ttl)
}

func (k *keeper) LeaseValue(ctx context.Context, key string, hold time.Duration) (any, bool, string, error) {
	name, ok, token, err := k.Lease(ctx, key, hold)
	return k.kept(name), ok, token, err
}

func (k *keeper) FillValue(ctx context.Context, key, token string, value any, ttl time.Duration) (bool, error) {
	return k.Fill(ctx, key, token, k.keep(value), ttl)
}

func (k *keeper) CompareAndSwapValue(ctx context.Context, key string, old, value any, ttl time.Duration) (bool, error) {
	defer k.alone()()
	name, ok, err := k.reference.Get(ctx, key)
	if !ok || err != nil || k.kept(name) != old {
		return false, err
	}
	if k.swap != nil { // of another entry, if it is a defect
		return k.swap(k.reference, key, name, k.keep(value), ttl)
	}
	return k.reference.CompareAndSwap(ctx, key, name, k.keep(value), ttl)
}

var (
	_ driver.ValueKeeper  = (*keeper)(nil)
	_ driver.ValueLeaser  = (*keeper)(nil)
	_ driver.ValueSwapper = (*keeper)(nil)
)

// comparing is a keeper that compares contents.
type comparing struct{ *keeper }

func (c comparing) CompareAndSwapValue(ctx context.Context, key string, old, value any, ttl time.Duration) (bool, error) {
	kept, ok, err := c.GetValue(ctx, key)
	if !ok || err != nil || !reflect.DeepEqual(kept, old) {
		return false, err
	}
	return c.keeper.CompareAndSwapValue(ctx, key, kept, value, ttl)
}

// racing is a keeper that compares and then sets, in two steps.
type racing struct{ *keeper }

func (r racing) CompareAndSwapValue(ctx context.Context, key string, old, value any, ttl time.Duration) (bool, error) {
	kept, ok, err := r.GetValue(ctx, key)
	if !ok || err != nil || kept != old {
		return false, err
	}
	gap()
	return true, r.SetValue(ctx, key, value, ttl)
}

// losing is a keeper that stores the value also if the swap is refused, while the entry
// is new.
type losing struct{ *keeper }

func (l losing) CompareAndSwapValue(ctx context.Context, key string, old, value any, ttl time.Duration) (bool, error) {
	kept, ok, err := l.GetValue(ctx, key)
	if !ok || err != nil || kept != old {
		return false, err
	}
	gap()
	swapped, err := l.keeper.CompareAndSwapValue(ctx, key, old, value, ttl)
	if !swapped && err == nil {
		err = l.SetValue(ctx, key, value, ttl)
	}
	return swapped, err
}

// The rule about kept values finds each defect of leases that it is about, and none in
// the reference.
func TestMutantsOfKeptValues(t *testing.T) {
	skipUnderRace(t)
	kept := func(c conformance.Case) bool { return slices.Contains([]string{"LSE-20", "LSE-22", "SWP-7"}, c.ID) }
	over := func(open func() driver.Backend) []string {
		return conformance.Verdicts(t, conformance.Harness{
			New: func(*testing.T) driver.Backend { return open() }, Bubble: true,
			Unsupported: map[conformance.Feature]string{conformance.Threshold: "not in this test"},
		}, kept).Failing()
	}
	verdict := func(m mutant) []string { return over(func() driver.Backend { return newKeeper(m) }) }
	if failing := verdict(mutant{}); len(failing) > 0 {
		t.Errorf("the reference: failing %q", failing)
	}
	if failing := over(func() driver.Backend { return comparing{newKeeper(mutant{})} }); !slices.Equal(failing, []string{"SWP-7"}) {
		t.Errorf("contents are compared: failing %q, want SWP-7", failing)
	}
	for defect, open := range map[string]func() driver.Backend{
		"CompareAndSwapValue compares and then sets":      func() driver.Backend { return racing{newKeeper(mutant{})} },
		"CompareAndSwapValue stores the value of a loser": func() driver.Backend { return losing{newKeeper(mutant{})} },
	} {
		if failing := over(open); !slices.Equal(failing, []string{"SWP-7"}) {
			t.Errorf("%s: failing %q, want SWP-7", defect, failing)
		}
	}
	for _, m := range leaseMutants {
		want := ""
		switch m.defect {
		case "Fill ignores the token", "Set keeps the lease", "Delete keeps the lease", "Release does nothing", "Get shows a lease",
			"Fill keeps the lease", "Lease of a present key returns a token":
			want = "LSE-20"
		case "a lease does not end", "Fill drops the ttl":
			want = "LSE-22"
		case "CompareAndSwap keeps the TTL":
			want = "SWP-7"
		default:
			continue
		}
		if failing := verdict(m.mutant); !slices.Contains(failing, want) {
			t.Errorf("%s: failing %q, want %s", m.defect, failing, want)
		}
	}
}
