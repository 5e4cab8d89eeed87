package conformance_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

// lateStore evicts a moment after a write.
type lateStore struct {
	*reference
	most int
}

func (l lateStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	defer l.evictLater()
	return l.reference.Set(ctx, key, value, ttl)
}

func (l lateStore) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	defer l.evictLater()
	return l.reference.SetMany(ctx, items, ttl)
}

func (l lateStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	defer l.evictLater()
	return l.reference.Add(ctx, key, value, ttl)
}

func (l lateStore) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	defer l.evictLater()
	return l.reference.Inc(ctx, key, delta, ttl)
}

func (l lateStore) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	defer l.evictLater()
	return l.reference.Fill(ctx, key, token, value, ttl)
}

func (l lateStore) evictLater() {
	time.AfterFunc(5*time.Millisecond, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for key := range l.entries {
			if len(l.entries) <= l.most {
				return
			}
			delete(l.entries, key)
		}
	})
}

// lockedFile is a store that one handle at a time can open.
type lockedFile struct {
	*reference
	open *bool
}

func (l lockedFile) Close() error {
	*l.open = false
	return l.reference.Close()
}

// nearTier keeps what it has read for a moment.
type nearTier struct {
	*reference
	mu    sync.Mutex
	reads map[string]nearRead
}

type nearRead struct {
	value []byte
	until time.Time
}

const nearLife = 50 * time.Millisecond

func newNearTier(r *reference) *nearTier {
	return &nearTier{reference: r, reads: map[string]nearRead{}}
}

func (n *nearTier) Get(ctx context.Context, key string) ([]byte, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if read, kept := n.reads[key]; kept && time.Now().Before(read.until) {
		return read.value, true, nil
	}
	delete(n.reads, key)
	value, ok, err := n.reference.Get(ctx, key)
	if left, _, _ := n.reference.TTL(ctx, key); ok {
		if left == 0 {
			left = nearLife
		}
		n.reads[key] = nearRead{value, time.Now().Add(min(left, nearLife))}
	}
	return value, ok, err
}

func (n *nearTier) forget(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.reads, key)
}

func (n *nearTier) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	defer n.forget(key)
	return n.reference.Set(ctx, key, value, ttl)
}

func (n *nearTier) Delete(ctx context.Context, key string) (bool, error) {
	defer n.forget(key)
	return n.reference.Delete(ctx, key)
}

func (n *nearTier) forgetAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.reads)
}

func (n *nearTier) Clear(ctx context.Context) error {
	defer n.forgetAll()
	return n.reference.Clear(ctx)
}

func (n *nearTier) ClearPrefix(ctx context.Context, prefix string) error {
	defer n.forgetAll()
	return n.reference.ClearPrefix(ctx, prefix)
}

func (n *nearTier) GetMany(context.Context, []string) ([][]byte, error)         { return nil, errRefused }
func (n *nearTier) DeleteMany(context.Context, []string) ([]bool, error)        { return nil, errRefused }
func (n *nearTier) SetMany(context.Context, []driver.Item, time.Duration) error { return errRefused }

func (n *nearTier) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	defer n.forget(key)
	return n.reference.Inc(ctx, key, delta, ttl)
}

func (n *nearTier) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	defer n.forget(key)
	return n.reference.Fill(ctx, key, token, value, ttl)
}

func (n *nearTier) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	defer n.forget(key)
	return n.reference.CompareAndSwap(ctx, key, old, value, ttl)
}

// spellingStore accepts only keys of an alphabet. It has the six methods.
type spellingStore struct {
	driver.Backend
	alphabet string
}

func (s spellingStore) check(key string) error {
	if strings.Trim(key, s.alphabet) != "" {
		return fmt.Errorf("%w: keys consist of %s", driver.ErrInvalidKey, s.alphabet)
	}
	return nil
}

func (s spellingStore) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := s.check(key); err != nil {
		return nil, false, err
	}
	return s.Backend.Get(ctx, key)
}

func (s spellingStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := s.check(key); err != nil {
		return err
	}
	return s.Backend.Set(ctx, key, value, ttl)
}

func (s spellingStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := s.check(key); err != nil {
		return false, err
	}
	return s.Backend.Add(ctx, key, value, ttl)
}

func (s spellingStore) Delete(ctx context.Context, key string) (bool, error) {
	if err := s.check(key); err != nil {
		return false, err
	}
	return s.Backend.Delete(ctx, key)
}

func (s spellingStore) ClearPrefix(ctx context.Context, prefix string) error {
	if err := s.check(prefix); err != nil {
		return err
	}
	return s.Backend.(driver.PrefixClearer).ClearPrefix(ctx, prefix)
}

// entryLimit rejects entries whose key and value are too large together.
func entryLimit(most int) driver.Backend {
	tooLarge := func(key string, value []byte) error {
		if len(key)+len(value) > most {
			return driver.ErrTooLarge
		}
		return nil
	}
	return &mutant{reference: newReference(),
		set: func(r *reference, key string, value []byte, ttl time.Duration) error {
			if err := tooLarge(key, value); err != nil {
				return err
			}
			return r.Set(ctx, key, value, ttl)
		},
		add: func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
			if err := tooLarge(key, value); err != nil {
				return false, err
			}
			return r.Add(ctx, key, value, ttl)
		}}
}

const letters = "abcdefghijklmnopqrstuvwxyz0123456789"

// Each trait and limit of a legitimate store is declared and passes; a declaration
// that is not true fails; without it a failure names it.
func TestTraits(t *testing.T) {
	t.Parallel()
	trait := func(trait conformance.Trait) func(*conformance.Harness) {
		return func(h *conformance.Harness) { h.Traits = map[conformance.Trait]string{trait: "documented"} }
	}
	withReference := func(h *conformance.Harness) {
		h.New = func(*testing.T) driver.Backend { return newReference() }
		h.Stores = referenceStores
	}
	for _, c := range []struct {
		name    string
		store   func(*conformance.Harness)
		declare func(*conformance.Harness)
		untrue  string // the rule that fails if another store declares it
		breaks  string // the rule that fails without the declaration
		hint    string // that this failure has
	}{
		{"one TTL", func(h *conformance.Harness) { h.New = func(*testing.T) driver.Backend { return neverExpires() } },
			trait(conformance.OneTTL), "DEC-1", "TTL-6", "Traits[conformance.OneTTL]"},
		{"late eviction", func(h *conformance.Harness) {
			h.Stores.Bounded = func(_ *testing.T, most int) driver.Backend { return lateStore{newReference(), most} }
		}, trait(conformance.LateEviction), "DEC-1", "EVI-1", "Traits[conformance.LateEviction]"},
		{"one handle", func(h *conformance.Harness) {
			h.New = func(*testing.T) driver.Backend { return lockedFile{newReference(), newTrue()} }
			h.Stores.Reopen = func(_ *testing.T, first driver.Backend) driver.Backend {
				if f := first.(lockedFile); !*f.open {
					*f.open = true
					return lockedFile{f.reopen(), f.open}
				}
				return nil
			}
		}, trait(conformance.OneHandle), "DEC-1", "PER-2", "Traits[conformance.OneHandle]"},
		{"staleness", func(h *conformance.Harness) {
			h.New = func(*testing.T) driver.Backend { return newNearTier(newReference()) }
			h.Stores.Reopen = func(_ *testing.T, first driver.Backend) driver.Backend {
				return newNearTier(first.(*nearTier).reopen())
			}
		}, func(h *conformance.Harness) { h.Limits.Staleness = 2 * nearLife }, "PER-2", "PER-2", "Limits.Staleness"},
		{"alphabet", func(h *conformance.Harness) {
			h.New = func(*testing.T) driver.Backend { return spellingStore{newReference(), letters + "_"} }
			for _, f := range []conformance.Feature{conformance.Counter, conformance.TTL, conformance.Lease, conformance.Swap} {
				h.Unsupported[f] = "not in this test"
			}
		}, func(h *conformance.Harness) { h.Limits.KeyAlphabet = letters + "_" }, "KEY-11", "BAS-1", "KeyAlphabet"},
		{"entry size", func(h *conformance.Harness) {
			h.New = func(*testing.T) driver.Backend { return entryLimit(300 << 10) }
		}, func(h *conformance.Harness) { h.Limits.MaxEntry = 300 << 10 }, "VAL-5", "VAL-5", "MaxEntry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			harness := func(changes ...func(*conformance.Harness)) conformance.Harness {
				h := inBubble(func() driver.Backend { return newReference() })
				for _, change := range changes {
					change(&h)
				}
				if h.Stores.Bounded != nil {
					delete(h.Unsupported, conformance.Threshold)
				}
				return h
			}
			rule := func(ids ...string) func(conformance.Case) bool {
				return func(one conformance.Case) bool { return slices.Contains(ids, one.ID) }
			}
			all := func(conformance.Case) bool { return true }
			report := conformance.Verdicts(t, harness(c.store, c.declare), all)
			for _, id := range report.Failing() {
				t.Errorf("declared: %s fails: %s", id, report.Reason(id))
			}
			report = conformance.Verdicts(t, harness(withReference, c.declare), rule("DEC-1", c.untrue))
			if !slices.Equal(report.Failing(), []string{c.untrue}) {
				t.Errorf("declared for a store without it: failing %q, want %s", report.Failing(), c.untrue)
			}
			report = conformance.Verdicts(t, harness(c.store), rule(c.breaks))
			if !slices.Equal(report.Failing(), []string{c.breaks}) || !strings.Contains(report.Reason(c.breaks), c.hint) {
				t.Errorf("not declared: %v; no reason has %q", report, c.hint)
			}
		})
	}
}

func newTrue() *bool {
	yes := true
	return &yes
}
