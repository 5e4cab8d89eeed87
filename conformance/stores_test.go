package conformance_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

// denied is a backend whose every call returns why.
type denied struct {
	driver.Backend
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
func (d denied) Clear(context.Context) error                              { return d.why }
func (d denied) ClearPrefix(context.Context, string) error                { return d.why }
func (d denied) Lease(context.Context, string, time.Duration) ([]byte, bool, string, error) {
	return nil, false, "", d.why
}
func (d denied) Fill(context.Context, string, string, []byte, time.Duration) (bool, error) {
	return false, d.why
}
func (d denied) Release(context.Context, string, string) error { return d.why }
func (d denied) CompareAndSwap(context.Context, string, []byte, []byte, time.Duration) (bool, error) {
	return false, d.why
}

func (d denied) GetWithTTL(context.Context, string) ([]byte, time.Duration, bool, error) {
	return nil, 0, false, d.why
}
func (d denied) Watch(context.Context, string, time.Duration, driver.Notices) error { return d.why }
func (d denied) Scan(context.Context, string) iter.Seq2[driver.Entry, error] {
	return driver.FailedScan(d.why)
}
func (d denied) Stats(context.Context) (driver.Stats, error) { return driver.Stats{}, d.why }

// fullAt50 holds 50 entries. For a further key it calls full.
func fullAt50(full func(r *reference, key string) error) *mutant {
	const room = 50
	return &mutant{reference: newReference(), set: func(r *reference, key string, value []byte, ttl time.Duration) error {
		if _, present, _ := r.Get(ctx, key); !present && len(r.names()) >= room {
			return full(r, key)
		}
		return r.Set(ctx, key, value, ttl)
	}}
}

// twoServers is a backend over two servers, one of which can be stopped. lost
// returns the error of a key on that server.
func twoServers(lost func(key string) error) (b driver.Backend, stopServer func()) {
	stopped := false
	m := &mutant{reference: newReference()}
	m.getMany = func(r *reference, keys []string) ([][]byte, error) {
		values := make([][]byte, len(keys))
		var failed driver.BatchError
		for i, key := range keys {
			if stopped && key[len(key)-1]%2 == 0 {
				if err := lost(key); err != nil {
					failed.Fail(key, err)
				}
				continue
			}
			values[i], _, _ = r.Get(ctx, key)
		}
		return values, failed.ErrorOrNil()
	}
	return m, func() { stopped = true }
}

// Each rule about one of the Stores passes with a correct store and fails with each
// store that has a defect.
func TestStores(t *testing.T) {
	with := func(set func(h *conformance.Harness)) conformance.Harness {
		_, h := shared(t)
		set(&h)
		return h
	}
	clearForbidden := func(b driver.Backend) conformance.Harness {
		return with(func(h *conformance.Harness) { h.Stores.ClearForbidden = func(*testing.T) driver.Backend { return b } })
	}
	unauthorized := func(why error) conformance.Harness {
		return with(func(h *conformance.Harness) {
			h.Stores.Unauthorized = func(*testing.T) driver.Backend { return denied{newReference(), why} }
		})
	}
	full := func(full func(r *reference, key string) error) conformance.Harness {
		return with(func(h *conformance.Harness) {
			h.Stores.Full = func(*testing.T) driver.Backend { return fullAt50(full) }
		})
	}
	partialOutage := func(lost func(key string) error) conformance.Harness {
		return with(func(h *conformance.Harness) {
			h.Stores.PartialOutage = func(*testing.T) (driver.Backend, func()) { return twoServers(lost) }
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
		{"Clear is refused", "CLR-3", clearForbidden(refuses), true},
		{"Clear clears", "CLR-3", clearForbidden(newReference()), false},
		{"Clear reports an error and clears", "CLR-3", clearForbidden(clears), false},
		{"access denied is reported", "ERR-3", unauthorized(driver.ErrAuth), true},
		{"a wrong password is an outage", "ERR-3", unauthorized(driver.ErrUnavailable), false},
		{"a wrong password is also an outage", "ERR-3", unauthorized(errors.Join(driver.ErrAuth, driver.ErrUnavailable)), false},
		{"further entries are refused", "ERR-4", full(func(*reference, string) error { return driver.ErrFull }), true},
		{"a full store is an outage", "ERR-4", full(func(*reference, string) error { return driver.ErrUnavailable }), false},
		{"further entries are dropped", "ERR-4", full(func(*reference, string) error { return nil }), false},
		{"further entries are refused but stored", "ERR-4", full(func(r *reference, key string) error {
			return errors.Join(r.Set(ctx, key, nil, 0), driver.ErrFull)
		}), false},
		{"unreachable keys are named", "BAT-8", partialOutage(func(string) error { return driver.ErrUnavailable }), true},
		{"unreachable keys are misses", "BAT-8", partialOutage(func(string) error { return nil }), false},
		{"some unreachable keys are named", "BAT-8", partialOutage(func(key string) error {
			if key[len(key)-1] == '4' {
				return driver.ErrUnavailable
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
