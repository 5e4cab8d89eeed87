package guard_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// store is a backend in memory whose answers a test decides. Keys that begin with
// "a:", "b:" and so on are on a server of that name.
type store struct {
	mu    sync.Mutex
	data  map[string][]byte
	calls atomic.Int64
	// fail returns the error of a call on key, after it may have waited. nil works.
	fail func(ctx context.Context, op, key string) error
}

func newStore() *store { return &store{data: map[string][]byte{}} }

func (s *store) begin(ctx context.Context, op, key string) error {
	s.calls.Add(1)
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail == nil {
		return nil
	}
	return fail(ctx, op, key)
}

// failWith makes all further calls return err, and work if err is nil.
func (s *store) failWith(err error) {
	s.onCall(func(context.Context, string, string) error { return err })
}

func (s *store) onCall(fail func(ctx context.Context, op, key string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// hang waits for the end of ctx, as a server that does not answer.
func hang(ctx context.Context, op, _ string) error {
	<-ctx.Done()
	return &hung{ctx.Err(), op != "get"}
}

type hung struct {
	cause error
	sent  bool
}

func (h *hung) Error() string { return "i/o timeout: " + h.cause.Error() }
func (h *hung) Unwrap() []error {
	if h.sent {
		return []error{driver.ErrUnknownOutcome, h.cause}
	}
	return []error{h.cause}
}

func (s *store) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := s.begin(ctx, "get", key); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.data[key]
	return value, ok, nil
}

func (s *store) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	var failed driver.BatchError
	for i, key := range keys {
		value, ok, err := s.Get(ctx, key)
		switch {
		case err != nil:
			failed.Fail(key, err)
		case ok:
			values[i] = value
		}
	}
	return values, failed.ErrorOrNil()
}

func (s *store) Set(ctx context.Context, key string, value []byte, _ time.Duration) error {
	if err := s.begin(ctx, "set", key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data[key] = value
	return nil
}

func (s *store) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := s.begin(ctx, "add", key); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.data[key]; ok {
		return false, nil
	}
	s.data[key] = value
	return true, nil
}

func (s *store) Inc(ctx context.Context, key string, delta int64, _ time.Duration) (int64, error) {
	return delta, s.begin(ctx, "inc", key)
}

func (s *store) Delete(ctx context.Context, key string) (bool, error) {
	if err := s.begin(ctx, "delete", key); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.data[key]
	delete(s.data, key)
	return ok, nil
}

func (s *store) Clear(ctx context.Context) error { return s.begin(ctx, "clear", "") }
func (s *store) Close() error                    { return nil }
func (s *store) Name() string                    { return "store" }

// servers is a store whose keys are on several servers.
type servers struct{ *store }

func (servers) Place(key string) string {
	server, _, _ := strings.Cut(key, ":")
	return server
}
