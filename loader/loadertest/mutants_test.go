package loadertest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/loader"
)

// mutant is a defect that the rule must find: in the policy, around the load, or in the
// store.
type mutant struct {
	rule   string
	defect string
	policy func(*loader.Policy)
	around func(ctx context.Context, load func(context.Context) error) error
	store  func(*driver.Operations) cache.Backend
}

var mutants = []mutant{
	{rule: "LOA-1", defect: "Fresh is ignored", policy: func(p *loader.Policy) { p.Fresh = 1 }},
	{rule: "LOA-2", defect: "Fresh is too long", policy: func(p *loader.Policy) { p.Fresh *= 100 }},
	{rule: "LOA-2", defect: "Rescue is too long", policy: func(p *loader.Policy) { p.Rescue *= 100 }},
	{rule: "LOA-3", defect: "Stale is ignored", policy: func(p *loader.Policy) { p.Stale = 0 }},
	{rule: "LOA-3", defect: "loads twice", around: twice},
	{rule: "LOA-4", defect: "Rescue is ignored", policy: func(p *loader.Policy) { p.Rescue = 0 }},
	{rule: "LOA-4", defect: "Rescue is Stale", policy: func(p *loader.Policy) { p.Stale = p.Rescue }},
	{rule: "LOA-5", defect: "Patience is ignored", policy: func(p *loader.Policy) { p.Patience = 0 }},
	{rule: "LOA-6", defect: "Early is ignored", policy: func(p *loader.Policy) { p.Early = 0 }},
	{rule: "LOA-6", defect: "Early begins at once", policy: func(p *loader.Policy) { p.Early = 0.999 }},
	{rule: "LOA-7", defect: "Jitter is ignored", policy: func(p *loader.Policy) { p.Jitter = 0 }},
	{rule: "LOA-7", defect: "Jitter lengthens", policy: func(p *loader.Policy) { p.Fresh *= 3 }},
	{rule: "LOA-8", defect: "Life is ignored", around: withoutValues},
	{rule: "LOA-9", defect: "NoStore is ignored", around: withoutValues},
	{rule: "LOA-10", defect: "Expire removes", policy: func(p *loader.Policy) { p.Stale = 0 }},
	{rule: "LOA-11", defect: "Refresh is not stored", store: func(o *driver.Operations) cache.Backend { return neverSwaps{o} }},
	{rule: "LOA-12", defect: "an error is remembered", policy: func(p *loader.Policy) { p.Backoff = long }},
	{rule: "LOA-13", defect: "Missing is ignored", policy: func(p *loader.Policy) { p.Missing = 0 }},
	{rule: "LOA-13", defect: "missing is a zero value", around: withoutErrors},
	{rule: "LOA-14", defect: "missing is a zero value", around: withoutErrors},
	{rule: "LOA-15", defect: "Backoff is ignored", policy: func(p *loader.Policy) { p.Backoff = 0 }},
	{rule: "LOA-16", defect: "Limit is ignored", policy: func(p *loader.Policy) { p.Limit = 0 }},
	{rule: "LOA-17", defect: "a panic becomes an error", around: withoutPanics},
	{rule: "LOA-18", defect: "Loads is ignored", policy: func(p *loader.Policy) { p.Loads = 0 }},
	{rule: "LOA-19", defect: "the load is not found in its context", around: withoutValues},
	{rule: "LOA-20", defect: "loads twice", around: twice},
	{rule: "LOA-21", defect: "Delete removes nothing", store: func(o *driver.Operations) cache.Backend { return keepsAll{o} }},
	{rule: "LOA-22", defect: "Fill ignores the token", store: func(o *driver.Operations) cache.Backend { return alwaysFills{o} }},
	{rule: "LOA-23", defect: "CompareAndSwap compares nothing", store: func(o *driver.Operations) cache.Backend { return alwaysSwaps{o} }},
	{rule: "LOA-24", defect: "Lease is ignored", policy: func(p *loader.Policy) { p.Lease = 0 }},
	{rule: "LOA-24", defect: "everybody gets a lease", store: func(o *driver.Operations) cache.Backend { return alwaysLeases{o} }},
	{rule: "LOA-25", defect: "Lease is ignored", policy: func(p *loader.Policy) { p.Lease = 0 }},
	{rule: "LOA-25", defect: "everybody gets a lease", store: func(o *driver.Operations) cache.Backend { return alwaysLeases{o} }},
	{rule: "LOA-26", defect: "a lease does not end", store: func(o *driver.Operations) cache.Backend { return longLeases{o} }},
	{rule: "LOA-27", defect: "Release does nothing", store: func(o *driver.Operations) cache.Backend { return neverReleases{o} }},
	{rule: "LOA-28", defect: "other bytes are not replaced", store: func(o *driver.Operations) cache.Backend { return neverSwaps{o} }},
	{rule: "LOA-29", defect: "loads twice", around: twice},
	{rule: "LOA-30", defect: "failures are missing values", around: withoutErrors},
	{rule: "LOA-31", defect: "Stale is ignored", policy: func(p *loader.Policy) { p.Stale = 0 }},
	{rule: "LOA-31", defect: "Rescue is ignored", policy: func(p *loader.Policy) { p.Rescue = 0 }},
	{rule: "LOA-32", defect: "fresh values are loaded", policy: func(p *loader.Policy) { p.Fresh = 1 }},
	{rule: "LOA-32", defect: "failures are missing values", around: withoutErrors},
	{rule: "LOA-33", defect: "Invalidate removes nothing", store: func(o *driver.Operations) cache.Backend { return keepsAll{o} }},
	{rule: "LOA-33", defect: "Invalidate removes everything", store: func(o *driver.Operations) cache.Backend { return removesAll{o} }},
	{rule: "LOA-34", defect: "Tag is ignored", around: withoutValues},
	{rule: "LOA-35", defect: "a version returns", store: func(o *driver.Operations) cache.Backend { return sameVersions{o} }},
	{rule: "LOA-36", defect: "Tag is ignored", around: withoutValues},
	{rule: "LOA-37", defect: "loads go on", around: inBackground},
	{rule: "LOA-39", defect: "Fill ignores the token", store: func(o *driver.Operations) cache.Backend { return alwaysFills{o} }},
	{rule: "LOA-39", defect: "CompareAndSwap compares nothing", store: func(o *driver.Operations) cache.Backend { return alwaysSwaps{o} }},
	{rule: "LOA-39", defect: "Tag is ignored", around: withoutValues},
	{rule: "LOA-40", defect: "Fill ignores the token", store: func(o *driver.Operations) cache.Backend { return alwaysFills{o} }},
	{rule: "LOA-40", defect: "CompareAndSwap compares nothing", store: func(o *driver.Operations) cache.Backend { return alwaysSwaps{o} }},
	{rule: "LOA-40", defect: "Delete ends no lease", store: func(o *driver.Operations) cache.Backend { return keepsAll{o} }},
	{rule: "LOA-41", defect: "CompareAndSwap compares nothing", store: func(o *driver.Operations) cache.Backend { return alwaysSwaps{o} }},
	{rule: "LOA-41", defect: "Fill ignores the token", store: func(o *driver.Operations) cache.Backend { return alwaysFills{o} }},
	{rule: "LOA-38", defect: "loads are not cancelled", around: uncancelled},
}

func TestMutants(t *testing.T) {
	rules := make(map[string]Rule)
	for _, r := range Rules() {
		if _, again := rules[r.ID]; again {
			t.Errorf("two rules are %s", r.ID)
		}
		rules[r.ID] = r
	}
	caught := make(map[string]bool)
	for _, m := range mutants {
		t.Run(m.rule+" "+m.defect, func(t *testing.T) {
			h := Harness{Bubble: true, policy: m.policy, around: m.around, New: func(*testing.T) (one, other *cache.Cache) {
				var s cache.Backend = cachetest.NewStore()
				if m.store != nil {
					s = m.store(driver.Resolve(s))
				}
				return cache.New(s), cache.New(s)
			}}
			if _, failure := h.try(t, rules[m.rule]); failure == "" {
				t.Error("the rule does not find the defect")
			} else {
				t.Log(failure)
			}
		})
		caught[m.rule] = true
	}
	for id := range rules {
		if !caught[id] {
			t.Errorf("no mutant of %s", id)
		}
	}
}

func twice(ctx context.Context, load func(context.Context) error) error {
	if err := load(ctx); err != nil {
		return err
	}
	return load(ctx)
}

// valueless is a context without values.
type valueless struct{ context.Context }

func (valueless) Value(any) any { return nil }

func withoutValues(ctx context.Context, load func(context.Context) error) error {
	return load(valueless{ctx})
}

func withoutErrors(ctx context.Context, load func(context.Context) error) error {
	_ = load(ctx)
	return nil
}

func withoutPanics(ctx context.Context, load func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return load(ctx)
}

func inBackground(ctx context.Context, load func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- load(context.WithoutCancel(ctx)) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func uncancelled(ctx context.Context, load func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*patience)
	defer cancel()
	return load(ctx)
}

type neverSwaps struct{ *driver.Operations }

func (neverSwaps) CompareAndSwap(context.Context, string, []byte, []byte, time.Duration) (bool, error) {
	return false, nil
}

type alwaysSwaps struct{ *driver.Operations }

func (s alwaysSwaps) CompareAndSwap(ctx context.Context, key string, _, value []byte, ttl time.Duration) (bool, error) {
	return true, s.Set(ctx, key, value, ttl)
}

type alwaysFills struct{ *driver.Operations }

func (s alwaysFills) Fill(ctx context.Context, key, _ string, value []byte, ttl time.Duration) (bool, error) {
	return true, s.Set(ctx, key, value, ttl)
}

type alwaysLeases struct{ *driver.Operations }

func (s alwaysLeases) Lease(ctx context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	value, ok, token, err := s.Operations.Lease(ctx, key, hold)
	if !ok && token == "" {
		token = "another"
	}
	return value, ok, token, err
}

type longLeases struct{ *driver.Operations }

func (s longLeases) Lease(ctx context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	return s.Operations.Lease(ctx, key, 1000*hold)
}

type neverReleases struct{ *driver.Operations }

func (neverReleases) Release(context.Context, string, string) error { return nil }

type keepsAll struct{ *driver.Operations }

func (keepsAll) Delete(context.Context, string) (bool, error) { return false, nil }
func (keepsAll) DeleteMany(_ context.Context, keys []string) ([]bool, error) {
	return make([]bool, len(keys)), nil
}

type removesAll struct{ *driver.Operations }

func (s removesAll) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	return make([]bool, len(keys)), s.Clear(ctx)
}

type sameVersions struct{ *driver.Operations }

func (s sameVersions) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if strings.HasPrefix(key, "loader-tag:") {
		value = []byte("7")
	}
	return s.Operations.Add(ctx, key, value, ttl)
}
