package conformance_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	cache "github.com/cachebackends/cachebackends/core"
)

// denied is a backend whose every call is an error.
type denied struct {
	cache.Backend
	why error
}

func (d denied) Get(context.Context, string) ([]byte, bool, error) { return nil, false, d.why }
func (d denied) Has(context.Context, string) (bool, error)         { return false, d.why }
func (d denied) Set(context.Context, string, []byte, time.Duration) error {
	return d.why
}
func (d denied) Add(context.Context, string, []byte, time.Duration) (bool, error) {
	return false, d.why
}
func (d denied) Delete(context.Context, string) (bool, error) { return false, d.why }
func (d denied) Inc(context.Context, string, int64, time.Duration) (int64, error) {
	return 0, d.why
}
func (d denied) TTL(context.Context, string) (time.Duration, bool, error) { return 0, false, d.why }

// cramped holds so many entries, and does with more what full says.
func cramped(full func(r *reference, key string) error) *mutant {
	const room = 50
	return &mutant{reference: newReference(), set: func(r *reference, key string, value []byte, ttl time.Duration) error {
		if _, there, _ := r.Get(ctx, key); !there && len(r.names()) >= room {
			return full(r, key)
		}
		return r.Set(ctx, key, value, ttl)
	}}
}

// halves is a backend over two servers, one of which may go.
func halves(lost func(key string) error) (b cache.Backend, lose func()) {
	gone := false
	m := &mutant{reference: newReference()}
	m.getMany = func(r *reference, keys []string) ([][]byte, error) {
		values := make([][]byte, len(keys))
		var failed cache.BatchError
		for i, key := range keys {
			if gone && key[len(key)-1]%2 == 0 {
				if err := lost(key); err != nil {
					failed.Fail(key, err)
				}
				continue
			}
			values[i], _, _ = r.Get(ctx, key)
		}
		return values, failed.ErrorOrNil()
	}
	return m, func() { gone = true }
}

// Each rule about a store that is lent passes with one that is as it should be, and
// fails with each that has the defect.
func TestLentStores(t *testing.T) {
	lend := func(set func(h *conformance.Harness)) conformance.Harness {
		_, h := shared(t)
		set(&h)
		return h
	}
	guarded := func(b cache.Backend) conformance.Harness {
		return lend(func(h *conformance.Harness) { h.Guarded = func(*testing.T) cache.Backend { return b } })
	}
	unauthorized := func(why error) conformance.Harness {
		return lend(func(h *conformance.Harness) {
			h.Unauthorized = func(*testing.T) cache.Backend { return denied{newReference(), why} }
		})
	}
	full := func(full func(r *reference, key string) error) conformance.Harness {
		return lend(func(h *conformance.Harness) {
			h.Full = func(*testing.T) cache.Backend { return cramped(full) }
		})
	}
	partialOutage := func(lost func(key string) error) conformance.Harness {
		return lend(func(h *conformance.Harness) {
			h.PartialOutage = func(*testing.T) (cache.Backend, func()) { return halves(lost) }
		})
	}
	refuses := &mutant{reference: newReference(), clear: func(*reference) error { return errors.ErrUnsupported }}
	clears := &mutant{reference: newReference(), clear: func(r *reference) error {
		return errors.Join(r.Clear(ctx), errors.ErrUnsupported)
	}}
	for _, c := range []struct {
		name, rule string
		harness    conformance.Harness
		passes     bool
	}{
		{"Clear is refused", "CLR-3", guarded(refuses), true},
		{"Clear clears", "CLR-3", guarded(newReference()), false},
		{"Clear says no and clears", "CLR-3", guarded(clears), false},
		{"who is not let in hears so", "ERR-3", unauthorized(cache.ErrAuth), true},
		{"a wrong password is an outage", "ERR-3", unauthorized(cache.ErrUnavailable), false},
		{"a wrong password is an outage, too", "ERR-3", unauthorized(errors.Join(cache.ErrAuth, cache.ErrUnavailable)), false},
		{"what is too much is refused", "ERR-4", full(func(*reference, string) error { return cache.ErrFull }), true},
		{"a full store is an outage", "ERR-4", full(func(*reference, string) error { return cache.ErrUnavailable }), false},
		{"what is too much is dropped", "ERR-4", full(func(*reference, string) error { return nil }), false},
		{"what is too much is refused, and stored", "ERR-4", full(func(r *reference, key string) error {
			return errors.Join(r.Set(ctx, key, nil, 0), cache.ErrFull)
		}), false},
		{"what is lost is named", "BAT-8", partialOutage(func(string) error { return cache.ErrUnavailable }), true},
		{"what is lost is a miss", "BAT-8", partialOutage(func(string) error { return nil }), false},
		{"some of what is lost is named", "BAT-8", partialOutage(func(key string) error {
			if key[len(key)-1] == '4' {
				return cache.ErrUnavailable
			}
			return nil
		}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := conformance.Verdicts(t, c.harness, func(one conformance.Case) bool { return one.ID == c.rule })
			if got := slices.Equal(report.Failing(), []string{}); got != c.passes || c.passes && report.Count(conformance.Pass) != 1 {
				t.Errorf("passes: %v; want %v: %+v", got, c.passes, report.Results)
			}
		})
	}
}
