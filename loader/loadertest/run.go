package loadertest

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/loader"
)

// Harness describes the store.
type Harness struct {
	// New returns two handles of one store, which stand for two processes. They may be the
	// same. The store is empty as far as they can see. New is called once for each rule. It
	// closes the handles with t.Cleanup.
	New func(t *testing.T) (one, other *cache.Cache)

	// Bubble runs the rules in a bubble of testing/synctest, where they take no time. The
	// store must be in the memory of this process.
	Bubble bool

	// Options are passed to [loader.New].
	Options []cache.ViewOption

	// Defects of a mutant; nil for none.
	policy func(*loader.Policy)
	around func(ctx context.Context, load func(ctx context.Context) error) error
}

// Rule is a tested property of package loader.
type Rule struct {
	ID   string // such as "LOA-1"; never reused
	Rule string
	Why  string // the consequence for users if the rule is broken

	run    func(a *attempt)
	bubble bool // the rule runs only in a bubble, because it lets much time pass
}

// Run tests every rule over the store of h.
func Run(t *testing.T, h Harness) {
	for _, r := range Rules() {
		t.Run(r.ID+"_"+strings.ReplaceAll(r.Rule, " ", "_"), func(t *testing.T) {
			skipped, failure := h.try(t, r)
			switch {
			case failure != "":
				t.Fatalf("%s\n  rule  %s\n  why   %s\n  what  %s", r.ID, r.Rule, r.Why, failure)
			case skipped != "":
				t.Skip(skipped)
			}
		})
	}
}

// try runs r and returns why it does not apply or how it failed.
func (h Harness) try(t *testing.T, r Rule) (skipped, failure string) {
	if r.bubble && !h.Bubble {
		return "the rule lets much time pass: it runs only in a bubble", ""
	}
	in := func(t *testing.T) {
		a := &attempt{ctx: t.Context(), harness: h}
		a.one, a.other = h.New(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer a.cleanup()
			r.run(a)
		}()
		limit := 3 * patience
		if r.bubble {
			limit = 24 * time.Hour
		}
		timer := time.NewTimer(limit)
		defer timer.Stop()
		select {
		case <-done:
			skipped, failure = a.skipped, a.failure
		case <-timer.C:
			a.cleanup() // ends the loads for which the rule waits
			<-done
			failure = "the rule waits in vain; then: " + a.failure
		}
	}
	if h.Bubble {
		synctest.Test(t, in)
	} else {
		in(t)
	}
	return skipped, failure
}

// attempt is one run of a rule.
type attempt struct {
	ctx              context.Context
	one, other       *cache.Cache
	harness          Harness
	skipped, failure string

	mu       sync.Mutex
	cleanups []func()
}

// patience is the longest time that a rule waits for something that must happen.
const patience = time.Minute

func (a *attempt) cleanup() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.cleanups {
		f()
	}
}

func (a *attempt) atEnd(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cleanups = append(a.cleanups, f)
}

// fatalf ends the attempt. It must be called on the goroutine of the rule.
func (a *attempt) fatalf(format string, args ...any) {
	a.failure = fmt.Sprintf(format, args...)
	for depth := 1; ; depth++ {
		_, file, line, ok := runtime.Caller(depth)
		if ok && !strings.HasPrefix(path.Base(file), "rules") {
			continue
		}
		a.failure += fmt.Sprintf(" (%s:%d)", path.Base(file), line)
		runtime.Goexit()
	}
}

func (a *attempt) skip(reason string) {
	a.skipped = reason
	runtime.Goexit()
}

// needsLeases skips the rule if the store has no leases.
func (a *attempt) needsLeases() {
	var token string
	var err error
	if a.isKept() {
		_, _, token, err = a.kept().Lease(a.ctx, "probe", time.Minute)
	} else {
		_, _, token, err = a.one.Lease(a.ctx, "probe", time.Minute)
	}
	if driver.IsUnsupported(err) {
		a.skip("the store does not support leases")
	}
	a.must(err)
	a.must(a.one.Release(a.ctx, "probe", token))
}

// needsSwap skips the rule if the store has no compare-and-swap.
func (a *attempt) needsSwap() {
	var err error
	if a.isKept() {
		_, err = a.kept().CompareAndSwap(a.ctx, "probe", nil, nil)
	} else {
		_, err = a.one.CompareAndSwap(a.ctx, "probe", []byte("a"), []byte("b"))
	}
	if driver.IsUnsupported(err) {
		a.skip("the store does not support compare-and-swap")
	}
	a.must(err)
}

// isKept reports whether the entries are kept without encoding.
func (a *attempt) isKept() bool {
	return slices.Contains(a.harness.Options, cache.WithoutEncoding())
}

func (a *attempt) kept() cache.View[*int] { return cache.Of[*int](a.one, a.harness.Options...) }

func (a *attempt) skipIfKept(why string) {
	if a.isKept() {
		a.skip(why)
	}
}

func (a *attempt) must(err error) {
	if err != nil {
		a.fatalf("unexpected error: %v", err)
	}
}
