package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// store has the values of some keys, nil for an empty one. It fails for the key "bad".
type store struct {
	driver.Backend
	mu     sync.Mutex
	values map[string][]byte
	calls  int
}

func (s *store) do(key string, op func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if key == "bad" {
		return driver.ErrTooLarge
	}
	op()
	return nil
}

func (s *store) Get(_ context.Context, key string) (value []byte, ok bool, err error) {
	err = s.do(key, func() { value, ok = s.values[key] })
	return value, ok, err
}

func (s *store) Set(_ context.Context, key string, value []byte, _ time.Duration) error {
	return s.do(key, func() { s.values[key] = value })
}

func (s *store) Delete(_ context.Context, key string) (ok bool, err error) {
	err = s.do(key, func() { _, ok = s.values[key]; delete(s.values, key) })
	return ok, err
}

func TestMany(t *testing.T) {
	s := &store{values: map[string][]byte{}}
	m := NewMany(s, 3, func(key string) error {
		if key == "" {
			return fmt.Errorf("%w: empty", driver.ErrInvalidKey)
		}
		return nil
	})
	ctx := t.Context()
	isAlone := func(what string, err error, key string) {
		t.Helper()
		var batch *driver.BatchError
		if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != key {
			t.Errorf("%s: %v; want only %q to fail", what, err, key)
		}
	}
	isAlone("SetMany", m.SetMany(ctx, []driver.Item{{Key: "a", Value: []byte("1")}, {Key: "bad"}, {Key: "b"}}, 0), "bad")
	values, err := m.GetMany(ctx, []string{"b", "absent", "bad", "a", "a"})
	isAlone("GetMany", err, "bad")
	if values[0] == nil || len(values[0]) > 0 || values[1] != nil || values[2] != nil || string(values[3]) != "1" || string(values[4]) != "1" {
		t.Errorf("GetMany = %q", values)
	}
	s.calls = 0
	isAlone("SetMany of an invalid key", m.SetMany(ctx, []driver.Item{{Key: "a"}, {}}, 0), "")
	values, err = m.GetMany(ctx, []string{"a", ""})
	isAlone("GetMany of an invalid key", err, "")
	deleted, err := m.DeleteMany(ctx, []string{"a", ""})
	isAlone("DeleteMany of an invalid key", err, "")
	if s.calls > 0 || len(values) != 2 || len(deleted) != 2 {
		t.Errorf("%d calls, %d values, %d answers; want none, and one for each key", s.calls, len(values), len(deleted))
	}
	deleted, err = m.DeleteMany(ctx, []string{"a", "bad", "absent"})
	isAlone("DeleteMany", err, "bad")
	if !slices.Equal(deleted, []bool{true, false, false}) {
		t.Errorf("DeleteMany = %v", deleted)
	}
}

// lives is a store that knows remaining TTLs.
type lives struct{ *store }

func (s lives) GetWithTTL(ctx context.Context, key string) (value []byte, ttl time.Duration, ok bool, err error) {
	value, ok, err = s.Get(ctx, key)
	return value, time.Duration(len(value)) * time.Second, ok, err
}

func TestManyWithTTL(t *testing.T) {
	s := &store{values: map[string][]byte{"a": []byte("1"), "b": nil}}
	check := func(string) error { return nil }
	values, ttls, err := NewMany(lives{s}, 3, check).GetManyWithTTL(t.Context(), []string{"b", "absent", "bad", "a", "a"})
	var batch *driver.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != "bad" {
		t.Errorf("GetManyWithTTL: %v; want only bad to fail", err)
	}
	if values[0] == nil || values[1] != nil || values[2] != nil || string(values[3]) != "1" || string(values[4]) != "1" {
		t.Errorf("values %q", values)
	}
	if want := []time.Duration{0, 0, 0, time.Second, time.Second}; !slices.Equal(ttls, want) {
		t.Errorf("TTLs %v; want %v", ttls, want)
	}
	values, ttls, err = NewMany(s, 3, check).GetManyWithTTL(t.Context(), []string{"a"})
	if !errors.Is(err, errors.ErrUnsupported) || len(values) != 1 || len(ttls) != 1 {
		t.Errorf("a backend without GetWithTTL: %q, %v, %v", values, ttls, err)
	}
}
