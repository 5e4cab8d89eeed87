// Package memory is a store for the tests of package tiered: a map with a lock, leases,
// remaining TTLs and notices of changes. It counts calls, may fail, and runs in a
// testing/synctest bubble.
package memory

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Store is a [driver.Backend].
type Store struct {
	mu      sync.Mutex
	items   map[string]item
	leases  map[string]string // tokens by key
	serial  int
	closed  bool
	calls   []string // op and key of each call
	watches map[*watch]struct{}

	before, after Hook
	delay         time.Duration // of notices
	silent        bool          // changes are not reported
}

// Hook is called in a method of a Store without its lock. Its error is that of the method.
type Hook func(op, key string) error

type item struct {
	value any // []byte or a Go value
	end   time.Time
}

// New returns an empty store.
func New() *Store {
	return &Store{items: make(map[string]item), leases: make(map[string]string), watches: make(map[*watch]struct{})}
}

// Before sets what every method calls before its effect; nil for nothing.
func (s *Store) Before(h Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = h
}

// After sets what every method calls after its effect, before it returns.
func (s *Store) After(h Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = h
}

// Delay sets the time that notices are on their way.
func (s *Store) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// Silence says whether changes are left unreported from now on.
func (s *Store) Silence(silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = silent
}

// Calls returns the op and key of each call since the last one of Calls.
func (s *Store) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// do runs change, with the lock, between Before and After. It returns ErrClosed after
// Close.
func (s *Store) do(op, key string, change func()) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		if err := before(op, key); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.calls = append(s.calls, strings.TrimSpace(op+" "+key))
	closed := s.closed
	if !closed {
		change()
	}
	after := s.after
	s.mu.Unlock()
	if closed {
		return driver.ErrClosed
	}
	if after != nil {
		return after(op, key)
	}
	return nil
}

// The methods below are called with mu held.

func (s *Store) find(key string) (item, bool) {
	i, ok := s.items[key]
	if ok && !i.end.IsZero() && !time.Now().Before(i.end) {
		delete(s.items, key)
		return item{}, false
	}
	return i, ok
}

func (s *Store) put(key string, value any, ttl time.Duration) {
	i := item{value: value}
	if ttl > 0 {
		i.end = time.Now().Add(ttl)
	}
	s.items[key] = i
	s.touch(key)
}

func (s *Store) drop(key string) bool {
	_, ok := s.find(key)
	delete(s.items, key)
	s.touch(key)
	return ok
}

// touch ends the lease of key and reports the change.
func (s *Store) touch(key string) {
	delete(s.leases, key)
	if s.silent {
		return
	}
	for w := range s.watches {
		if strings.HasPrefix(key, w.prefix) || w.foreign {
			w.send(notice{key: key, due: time.Now().Add(s.delay)})
		}
	}
}

func (i item) left() time.Duration {
	if i.end.IsZero() {
		return 0
	}
	return time.Until(i.end)
}

func (i item) bytes() ([]byte, error) {
	data, ok := i.value.([]byte)
	if !ok && i.value != nil {
		return nil, driver.ErrCorrupt
	}
	return data, nil
}

// End of the methods with mu held.

func (s *Store) get(op, key string) (i item, left time.Duration, ok bool, err error) {
	err = s.do(op, key, func() {
		i, ok = s.find(key)
		left = i.left()
	})
	return i, left, ok && err == nil, err
}

func (s *Store) Get(ctx context.Context, key string) ([]byte, bool, error) {
	i, _, ok, err := s.get("get", key)
	if !ok || err != nil {
		return nil, false, err
	}
	data, err := i.bytes()
	return data, err == nil, err
}

func (s *Store) Has(_ context.Context, key string) (bool, error) {
	_, _, ok, err := s.get("has", key)
	return ok, err
}

func (s *Store) TTL(_ context.Context, key string) (time.Duration, bool, error) {
	_, left, ok, err := s.get("ttl", key)
	return left, ok, err
}

func (s *Store) GetMany(_ context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := s.do("get_many", strings.Join(keys, " "), func() {
		for n, key := range keys {
			i, _ := s.find(key)
			values[n], _ = i.bytes()
		}
	})
	return values, err
}

func (s *Store) set(op, key string, value any, ttl time.Duration, may func(old item, ok bool) bool) (stored bool, err error) {
	err = s.do(op, key, func() {
		if old, ok := s.find(key); may == nil || may(old, ok) {
			s.put(key, value, ttl)
			stored = true
		}
	})
	return stored && err == nil, err
}

func isAbsent(_ item, ok bool) bool { return !ok }

func (s *Store) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := s.set("set", key, value, ttl, nil)
	return err
}

func (s *Store) Add(_ context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return s.set("add", key, value, ttl, isAbsent)
}

func (s *Store) CompareAndSwap(_ context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	return s.set("swap", key, value, ttl, func(present item, ok bool) bool {
		data, err := present.bytes()
		return ok && err == nil && bytes.Equal(data, old)
	})
}

func (s *Store) SetMany(_ context.Context, items []driver.Item, ttl time.Duration) error {
	var failed driver.BatchError
	for _, i := range items {
		if _, err := s.set("set", i.Key, i.Value, ttl, nil); err != nil {
			failed.Fail(i.Key, err)
		}
	}
	return failed.ErrorOrNil()
}

func (s *Store) Inc(_ context.Context, key string, delta int64, ttl time.Duration) (sum int64, err error) {
	errDo := s.do("inc", key, func() {
		i, ok := s.find(key)
		if !ok {
			s.put(key, strconv.AppendInt(nil, delta, 10), ttl)
			sum = delta
			return
		}
		data, _ := i.bytes()
		if sum, err = driver.AddInteger(data, delta); err == nil {
			s.items[key] = item{strconv.AppendInt(nil, sum, 10), i.end}
			s.touch(key)
		}
	})
	if errDo != nil {
		return 0, errDo
	}
	return sum, err
}

func (s *Store) Delete(_ context.Context, key string) (deleted bool, err error) {
	err = s.do("delete", key, func() { deleted = s.drop(key) })
	return deleted && err == nil, err
}

func (s *Store) Clear(context.Context) error {
	return s.do("clear", "", func() {
		clear(s.items)
		clear(s.leases)
		s.cut(notice{lost: ErrCleared})
	})
}

func (s *Store) ClearPrefix(_ context.Context, prefix string) error {
	return s.do("clear_prefix", prefix, func() {
		for key := range s.items {
			if strings.HasPrefix(key, prefix) {
				s.drop(key)
			}
		}
		clear(s.leases)
	})
}

func (s *Store) Ping(context.Context) error { return s.do("ping", "", func() {}) }

func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.cut(notice{lost: driver.ErrClosed})
	return nil
}

func (s *Store) Lease(_ context.Context, key string, _ time.Duration) (value []byte, ok bool, token string, err error) {
	errDo := s.do("lease", key, func() {
		var i item
		if i, ok = s.find(key); ok {
			value, err = i.bytes()
			return
		}
		if _, held := s.leases[key]; !held {
			s.serial++
			token = strconv.Itoa(s.serial)
			s.leases[key] = token
		}
	})
	if errDo != nil {
		return nil, false, "", errDo
	}
	return value, ok, token, err
}

func (s *Store) Fill(_ context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	return s.set("fill", key, value, ttl, func(item, bool) bool { return token != "" && s.leases[key] == token })
}

func (s *Store) Release(_ context.Context, key, token string) error {
	return s.do("release", key, func() {
		if s.leases[key] == token {
			delete(s.leases, key)
		}
	})
}

// Plain returns s without the optional interfaces.
func (s *Store) Plain() driver.Backend { return plain{s} }

type plain struct{ driver.Backend }

func (s *Store) GetValue(_ context.Context, key string) (any, bool, error) {
	i, _, ok, err := s.get("get_value", key)
	if _, isBytes := i.value.([]byte); isBytes {
		return nil, false, driver.ErrCorrupt
	}
	return i.value, ok, err
}

func (s *Store) SetValue(_ context.Context, key string, value any, ttl time.Duration) error {
	_, err := s.set("set_value", key, value, ttl, nil)
	return err
}

func (s *Store) AddValue(_ context.Context, key string, value any, ttl time.Duration) (bool, error) {
	return s.set("add_value", key, value, ttl, isAbsent)
}
