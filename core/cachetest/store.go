package cachetest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Store is a [driver.Backend] in a map with a lock. It keeps the contract of backends
// but is not fast: programs use package simple. It is safe for concurrent use.
type Store struct {
	mu     sync.Mutex
	items  map[string]item
	leases map[string]lease
	serial int
	closed bool
	faults []fault
	calls  []Call
	hook   func(ctx context.Context, op, key string) error
}

type item struct {
	value any // []byte or a Go value
	end   time.Time
}

// NewStore returns an empty store, for [cache.New].
func NewStore() *Store { return &Store{items: map[string]item{}, leases: map[string]lease{}} }

// find returns the item of key. The caller holds mu.
func (s *Store) find(key string) (item, bool) {
	i, ok := s.items[key]
	if ok && !i.end.IsZero() && !time.Now().Before(i.end) {
		delete(s.items, key)
		return item{}, false
	}
	return i, ok
}

// put stores a value and ends the lease of key. The caller holds mu.
func (s *Store) put(key string, value any, ttl time.Duration) {
	i := item{value: value}
	if ttl > 0 {
		i.end = time.Now().Add(ttl)
	}
	s.items[key] = i
	delete(s.leases, key)
}

// remove reports whether key was present. The caller holds mu.
func (s *Store) remove(key string) bool {
	_, ok := s.find(key)
	delete(s.items, key)
	delete(s.leases, key)
	return ok
}

// bytesOf returns the bytes of an item.
func bytesOf(i item, ok bool) ([]byte, bool, error) {
	if !ok {
		return nil, false, nil
	}
	data, isBytes := i.value.([]byte)
	if !isBytes {
		return nil, false, fmt.Errorf("%w: it is a %T, stored without encoding", driver.ErrCorrupt, i.value)
	}
	return data, true, nil
}

func (i item) left() time.Duration {
	if i.end.IsZero() {
		return 0
	}
	return time.Until(i.end)
}

// Get returns the value of key.
func (s *Store) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	err = s.one(ctx, "get", key, func() (err error) {
		value, ok, err = bytesOf(s.find(key))
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return value, ok, nil
}

// GetWithTTL returns the value of key with its remaining TTL.
func (s *Store) GetWithTTL(ctx context.Context, key string) (value []byte, ttl time.Duration, ok bool, err error) {
	err = s.one(ctx, "get", key, func() (err error) {
		i, found := s.find(key)
		ttl = i.left()
		value, ok, err = bytesOf(i, found)
		return err
	})
	if err != nil {
		return nil, 0, false, err
	}
	return value, ttl, ok, nil
}

// GetMany returns one value per key, nil for a miss.
func (s *Store) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values, _, err := s.GetManyWithTTL(ctx, keys)
	return values, err
}

// GetManyWithTTL returns one value per key, nil for a miss, and the remaining TTLs.
func (s *Store) GetManyWithTTL(ctx context.Context, keys []string) ([][]byte, []time.Duration, error) {
	values, ttls := make([][]byte, len(keys)), make([]time.Duration, len(keys))
	var damaged driver.BatchError
	err := s.many(ctx, "get_many", keys, func(i int) {
		found, ok := s.find(keys[i])
		value, ok, err := bytesOf(found, ok)
		if err != nil {
			damaged.Fail(keys[i], err)
		}
		if ok {
			values[i], ttls[i] = append([]byte{}, value...), found.left()
		}
	})
	return values, ttls, driver.MergeBatch(err, damaged.ErrorOrNil())
}

// Has reports whether key is present.
func (s *Store) Has(ctx context.Context, key string) (ok bool, err error) {
	err = s.one(ctx, "has", key, func() error { _, ok = s.find(key); return nil })
	return ok && err == nil, err
}

// TTL returns the remaining TTL of key.
func (s *Store) TTL(ctx context.Context, key string) (ttl time.Duration, ok bool, err error) {
	err = s.one(ctx, "ttl", key, func() error {
		i, found := s.find(key)
		ttl, ok = i.left(), found
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	return ttl, ok, nil
}

// store stores value if may allows it, and reports whether it did.
func (s *Store) store(ctx context.Context, op, key string, value any, ttl time.Duration, may func(old item, ok bool) bool) (stored bool, err error) {
	err = s.one(ctx, op, key, func() error {
		if stored = may(s.find(key)); stored {
			s.put(key, value, ttl)
		}
		return nil
	})
	return stored && err == nil, err
}

func always(item, bool) bool        { return true }
func isAbsent(_ item, ok bool) bool { return !ok }

// Set stores value under key.
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := s.store(ctx, "set", key, value, ttl, always)
	return err
}

// SetMany stores items with one ttl.
func (s *Store) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	return s.many(ctx, "set_many", keys, func(i int) { s.put(keys[i], items[i].Value, ttl) })
}

// Add stores value only if key is absent.
func (s *Store) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return s.store(ctx, "add", key, value, ttl, isAbsent)
}

// CompareAndSwap replaces the value of key if it equals old.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	return s.store(ctx, "compare_and_swap", key, value, ttl, func(i item, ok bool) bool {
		data, isBytes := i.value.([]byte)
		return ok && isBytes && bytes.Equal(data, old)
	})
}

// Inc adds delta to the integer under key.
func (s *Store) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (sum int64, err error) {
	err = s.one(ctx, "inc", key, func() error {
		i, ok := s.find(key)
		data, ok, _ := bytesOf(i, ok)
		if !ok {
			sum = delta
			s.put(key, fmt.Append(nil, sum), ttl)
			return nil
		}
		var err error
		if sum, err = driver.AddInteger(data, delta); err == nil {
			i.value = fmt.Append(nil, sum)
			s.items[key] = i
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return sum, nil
}

// Delete removes key.
func (s *Store) Delete(ctx context.Context, key string) (deleted bool, err error) {
	err = s.one(ctx, "delete", key, func() error { deleted = s.remove(key); return nil })
	return deleted && err == nil, err
}

// DeleteMany removes keys.
func (s *Store) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	deleted := make([]bool, len(keys))
	err := s.many(ctx, "delete_many", keys, func(i int) { deleted[i] = s.remove(keys[i]) })
	return deleted, err
}

// Clear removes every entry.
func (s *Store) Clear(ctx context.Context) error { return s.ClearPrefix(ctx, "") }

// ClearPrefix removes the entries whose key begins with prefix.
func (s *Store) ClearPrefix(ctx context.Context, prefix string) error {
	return s.one(ctx, "clear", prefix, func() error {
		for key := range s.items {
			if strings.HasPrefix(key, prefix) {
				delete(s.items, key)
			}
		}
		for key := range s.leases {
			if strings.HasPrefix(key, prefix) {
				delete(s.leases, key)
			}
		}
		return nil
	})
}

// Ping reports whether the store has no fault.
func (s *Store) Ping(ctx context.Context) error {
	return s.one(ctx, "ping", "", func() error { return nil })
}

// Stats counts the entries that have not expired, and the bytes of their keys and values.
func (s *Store) Stats(ctx context.Context) (driver.Stats, error) {
	stats := driver.UnknownStats
	stats.Entries, stats.Bytes, stats.MaxBytes = 0, 0, 0
	err := s.one(ctx, "stats", "", func() error {
		for key := range s.items {
			i, ok := s.find(key)
			data, _, _ := bytesOf(i, ok)
			if ok {
				stats.Entries++
				stats.Bytes += int64(len(key) + len(data))
			}
		}
		return nil
	})
	if err != nil {
		return driver.UnknownStats, err
	}
	return stats, nil
}

// Close makes every further call return ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Name returns "cachetest".
func (s *Store) Name() string { return "cachetest" }
