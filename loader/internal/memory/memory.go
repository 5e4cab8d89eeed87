// Package memory is a store for the tests of package loader: a map with a lock,
// leases, compare-and-swap and Go values. It counts calls and may fail.
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

// Store is a [driver.Backend] with the optional interfaces that a Loader uses.
type Store struct {
	mu     sync.Mutex
	items  map[string]item
	leases map[string]lease
	serial int

	Calls  int                            // of any method
	Before func(op, key string) error     // called before every method without the lock; its error is returned
	Traits struct{ NoLease, NoSwap bool } // what is unsupported
}

type item struct {
	value any // []byte or a Go value
	end   time.Time
}

type lease struct {
	token string
	end   time.Time
}

// New returns an empty store.
func New() *Store {
	return &Store{items: make(map[string]item), leases: make(map[string]lease)}
}

func (s *Store) enter(op, key string) error {
	s.mu.Lock()
	s.Calls++
	s.mu.Unlock()
	if s.Before != nil {
		return s.Before(op, key)
	}
	return nil
}

// find returns the value of key. The caller holds mu.
func (s *Store) find(key string) (any, bool) {
	i, ok := s.items[key]
	if ok && !i.end.IsZero() && !time.Now().Before(i.end) {
		delete(s.items, key)
		return nil, false
	}
	return i.value, ok
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

func (s *Store) get(op, key string) (any, bool, error) {
	if err := s.enter(op, key); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.find(key)
	return value, ok, nil
}

func (s *Store) Get(_ context.Context, key string) ([]byte, bool, error) {
	value, ok, err := s.get("get", key)
	if !ok || err != nil {
		return nil, false, err
	}
	data, ok := value.([]byte)
	if !ok {
		return nil, false, driver.ErrCorrupt
	}
	return data, true, nil
}

func (s *Store) GetValue(_ context.Context, key string) (any, bool, error) {
	value, ok, err := s.get("get", key)
	if _, isBytes := value.([]byte); isBytes {
		return nil, false, driver.ErrCorrupt
	}
	return value, ok, err
}

func (s *Store) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	if err := s.enter("get_many", strings.Join(keys, " ")); err != nil {
		return make([][]byte, len(keys)), err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	values := make([][]byte, len(keys))
	for i, key := range keys {
		value, _ := s.find(key)
		values[i], _ = value.([]byte)
	}
	return values, nil
}

func (s *Store) set(op, key string, value any, ttl time.Duration, may func(old any, ok bool) bool) (bool, error) {
	if err := s.enter(op, key); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.find(key); may != nil && !may(old, ok) {
		return false, nil
	}
	s.put(key, value, ttl)
	return true, nil
}

func isAbsent(_ any, ok bool) bool { return !ok }

func (s *Store) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := s.set("set", key, value, ttl, nil)
	return err
}

func (s *Store) SetValue(_ context.Context, key string, value any, ttl time.Duration) error {
	_, err := s.set("set", key, value, ttl, nil)
	return err
}

func (s *Store) Add(_ context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return s.set("add", key, value, ttl, isAbsent)
}

func (s *Store) AddValue(_ context.Context, key string, value any, ttl time.Duration) (bool, error) {
	return s.set("add", key, value, ttl, isAbsent)
}

func (s *Store) CompareAndSwap(_ context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if s.Traits.NoSwap {
		return driver.Resolve(plain{s}).CompareAndSwap(context.Background(), key, old, value, ttl)
	}
	return s.set("swap", key, value, ttl, func(present any, ok bool) bool {
		data, isBytes := present.([]byte)
		return ok && isBytes && bytes.Equal(data, old)
	})
}

func (s *Store) CompareAndSwapValue(_ context.Context, key string, old, value any, ttl time.Duration) (bool, error) {
	if s.Traits.NoSwap {
		return driver.Resolve(plain{s}).CompareAndSwapValue(context.Background(), key, old, value, ttl)
	}
	return s.set("swap", key, value, ttl, func(present any, ok bool) bool { return ok && present == old })
}

// plain hides the optional methods.
type plain struct{ driver.Backend }

func (s *Store) Delete(_ context.Context, key string) (bool, error) {
	if err := s.enter("delete", key); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.find(key)
	delete(s.items, key)
	delete(s.leases, key)
	return ok, nil
}

func (s *Store) Clear(ctx context.Context) error { return s.ClearPrefix(ctx, "") }

func (s *Store) ClearPrefix(_ context.Context, prefix string) error {
	if err := s.enter("clear", prefix); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.items {
		if strings.HasPrefix(key, prefix) {
			delete(s.items, key)
		}
	}
	clear(s.leases)
	return nil
}

func (s *Store) Close() error { return nil }

func (s *Store) lease(key string, hold time.Duration) (any, bool, string, error) {
	if s.Traits.NoLease {
		_, _, _, err := driver.Resolve(plain{s}).Lease(context.Background(), key, hold)
		return nil, false, "", err
	}
	if err := s.enter("lease", key); err != nil {
		return nil, false, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if value, ok := s.find(key); ok {
		return value, true, "", nil
	}
	if l, held := s.leases[key]; held && time.Now().Before(l.end) {
		return nil, false, "", nil
	}
	s.serial++
	l := lease{strconv.Itoa(s.serial), time.Now().Add(hold)}
	s.leases[key] = l
	return nil, false, l.token, nil
}

func (s *Store) Lease(_ context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	value, ok, token, err := s.lease(key, hold)
	data, _ := value.([]byte)
	return data, ok, token, err
}

func (s *Store) LeaseValue(_ context.Context, key string, hold time.Duration) (any, bool, string, error) {
	return s.lease(key, hold)
}

func (s *Store) fill(key, token string, value any, ttl time.Duration) (bool, error) {
	return s.set("fill", key, value, ttl, func(any, bool) bool {
		l, held := s.leases[key]
		return held && l.token == token && time.Now().Before(l.end)
	})
}

func (s *Store) Fill(_ context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	return s.fill(key, token, value, ttl)
}

func (s *Store) FillValue(_ context.Context, key, token string, value any, ttl time.Duration) (bool, error) {
	return s.fill(key, token, value, ttl)
}

func (s *Store) Release(_ context.Context, key, token string) error {
	if err := s.enter("release", key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leases[key].token == token {
		delete(s.leases, key)
	}
	return nil
}

var (
	_ driver.Leaser       = (*Store)(nil)
	_ driver.ValueLeaser  = (*Store)(nil)
	_ driver.Swapper      = (*Store)(nil)
	_ driver.ValueSwapper = (*Store)(nil)
	_ driver.ValueKeeper  = (*Store)(nil)
)

// Encodes returns s as a wrapper that has the methods of a [driver.ValueKeeper] and does
// not support them.
func Encodes(s *Store) driver.Backend { return encodes{driver.Resolve(plain{s})} }

type encodes struct{ *driver.Operations }
