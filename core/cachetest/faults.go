package cachetest

import (
	"context"
	"slices"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Call is one call of a [Store].
type Call struct {
	Op   string   // as in cache.Event: "get", "set_many", ...
	Keys []string // with the prefix of the cache; empty for "clear" of everything, "ping" and "stats"
}

// fault is what happens to the calls that it matches.
type fault struct {
	op, key string
	err     error
	delay   time.Duration
	lost    bool
}

func (f fault) matches(op, key string) bool {
	return (f.op == "" || f.op == op) && (f.key == "" || f.key == key)
}

// Fail makes calls of op on key return err, without an effect, until [Store.Heal]. An
// empty op or key stands for all. key has the prefix of the cache. In a batch, only the
// key fails, in a BatchError. If several faults match a call, the newest counts. A
// fault applies to calls that begin after it.
func (s *Store) Fail(op, key string, err error) { s.add(fault{op: op, key: key, err: err}) }

// Slow delays calls of op on key by d, or until the end of their context, which they
// then return. See [Store.Fail] for op and key.
func (s *Store) Slow(op, key string, d time.Duration) { s.add(fault{op: op, key: key, delay: d}) }

// Lose makes writes of op on key take effect and return ErrUnknownOutcome, as if the
// reply of the server were lost. Reads return ErrUnavailable. See [Store.Fail] for op
// and key.
func (s *Store) Lose(op, key string) { s.add(fault{op: op, key: key, lost: true}) }

// Heal ends all faults.
func (s *Store) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// OnCall makes hook run before each call, without the lock of the store, after the
// call was recorded. If hook returns an error, the call returns it and has no effect.
// key is the first of a batch.
func (s *Store) OnCall(hook func(ctx context.Context, op, key string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// maxCalls limits the memory of recorded calls.
const maxCalls = 10_000

// Calls returns the calls since the store was made or Calls was last called, at most
// the newest 10,000 (after more, half of them are dropped at a time).
func (s *Store) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

func (s *Store) add(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// reads are the operations without an effect.
var reads = []string{"get", "get_many", "has", "ttl", "ping", "stats", "scan"}

var (
	errLostWrite = driver.ErrUnknownOutcome
	errLostRead  = driver.ErrUnavailable
)

// enter records a call and waits for what delays it. It returns the errors of its keys:
// before, for those that must have no effect, and after, for those whose reply is lost.
func (s *Store) enter(ctx context.Context, op string, keys ...string) (before, after []error, err error) {
	if len(keys) == 1 && keys[0] == "" {
		keys = nil
	}
	s.mu.Lock()
	if len(s.calls) == maxCalls {
		s.calls = s.calls[:copy(s.calls, s.calls[maxCalls/2:])]
	}
	s.calls = append(s.calls, Call{op, slices.Clone(keys)})
	hook, faults, closed := s.hook, slices.Clone(s.faults), s.closed
	s.mu.Unlock()
	first := ""
	if len(keys) > 0 {
		first = keys[0]
	}
	switch {
	case closed:
		return nil, nil, driver.ErrClosed
	case hook != nil:
		if err := hook(ctx, op, first); err != nil {
			return nil, nil, err
		}
	}
	if len(keys) == 0 {
		keys = []string{""} // a call without a key, which only faults of all keys match
	}
	before, after, delay := apply(faults, op, keys)
	return before, after, wait(ctx, delay)
}

// apply returns what faults do to a call of op on keys. The newest fault of a key counts.
func apply(faults []fault, op string, keys []string) (before, after []error, delay time.Duration) {
	before, after = make([]error, len(keys)), make([]error, len(keys))
	for i, key := range keys {
		for _, f := range slices.Backward(faults) {
			if !f.matches(op, key) {
				continue
			}
			delay = max(delay, f.delay)
			if before[i] = f.err; f.lost {
				after[i] = lostReply(op)
			}
			break
		}
	}
	return before, after, delay
}

func lostReply(op string) error {
	if slices.Contains(reads, op) {
		return errLostRead
	}
	return errLostWrite
}

func wait(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// one calls do, which has an effect on one key, between the faults of the call. do runs
// with the lock of the store.
func (s *Store) one(ctx context.Context, op, key string, do func() error) error {
	before, after, err := s.enter(ctx, op, key)
	if err != nil {
		return err
	}
	if before[0] != nil {
		return before[0]
	}
	s.mu.Lock()
	err = do()
	s.mu.Unlock()
	if err == nil {
		err = after[0]
	}
	return err
}

// many is one for the keys of a batch.
func (s *Store) many(ctx context.Context, op string, keys []string, do func(i int)) error {
	before, after, err := s.enter(ctx, op, keys...)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed driver.BatchError
	for i, key := range keys {
		if before[i] != nil {
			failed.Fail(key, before[i])
			continue
		}
		do(i)
		if after[i] != nil {
			failed.Fail(key, after[i])
		}
	}
	return failed.ErrorOrNil()
}
