package tiered

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/tiered/internal/memory"
)

// world is what one rule runs in: a store far, one process in front of it with a near
// store, and another process that uses far directly. Time is that of a synctest bubble.
type world struct {
	ctx  context.Context
	near *memory.Store
	far  memory.Far
	one  *driver.Operations // the Backend under test, or a mutant of it
	b    *Backend           // the same, never a mutant

	failures []string
}

// setup says how the world is made.
type setup struct {
	options Options
	far     func(memory.Far) driver.Backend // what New gets; nil for far itself
	mutant  mutant
}

// mutant is a defect in one part of the world.
type mutant struct {
	backend func(*Backend) driver.Backend
	near    func(*memory.Store) driver.Backend
	far     func(driver.Backend) driver.Backend
	options func(*Options)
}

const grace = time.Second

// run runs a rule in a bubble and returns what failed.
func run(t *testing.T, s setup, rule func(w *world)) (failures []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{ctx: t.Context(), near: memory.New(), far: memory.NewFar()}
		var near, far driver.Backend = w.near, w.far
		if s.far != nil {
			far = s.far(w.far)
		}
		if s.mutant.near != nil {
			near = s.mutant.near(w.near)
		}
		if s.mutant.far != nil {
			far = s.mutant.far(far)
		}
		o := s.options
		o.Grace = grace
		if o.OnLost == nil {
			o.OnLost = func(error) {}
		}
		if s.mutant.options != nil {
			s.mutant.options(&o)
		}
		var err error
		if w.b, err = New(near, far, o); err != nil {
			t.Fatal(err)
		}
		var one driver.Backend = w.b
		if s.mutant.backend != nil {
			one = s.mutant.backend(w.b)
		}
		w.one = driver.Resolve(one)
		synctest.Wait()
		w.near.Calls()
		w.far.Calls()
		rule(w)
		w.near.Before(nil)
		w.near.After(nil)
		w.far.Before(nil)
		w.far.After(nil)
		if err := w.b.Close(); err != nil {
			w.errorf("Close: %v", err)
		}
		failures = w.failures
	})
	return failures
}

func (w *world) errorf(format string, args ...any) {
	w.failures = append(w.failures, fmt.Sprintf(format, args...))
}

func (w *world) must(err error) {
	if err != nil {
		w.errorf("%v", err)
	}
}

// want checks what the process reads, "" for a miss, and where it has read it:
// "near" or "far".
func (w *world) want(key, value, where string) {
	w.far.Calls()
	got, ok, err := w.one.Get(w.ctx, key)
	from := "near"
	if len(w.far.Calls()) > 0 {
		from = "far"
	}
	if err != nil || string(got) != value || ok != (value != "") || where != "" && from != where {
		w.errorf("Get of %s: got %q, %v, %v from %s; want %q from %s", key, got, ok, err, from, value, where)
	}
}

// load stores an entry in far and reads it, so that it is near.
func (w *world) load(key, value string, ttl time.Duration) {
	w.must(w.far.Set(w.ctx, key, []byte(value), ttl))
	synctest.Wait()
	w.want(key, value, "far")
	w.want(key, value, "near")
}

// operation is a call of a store.
type operation func(ctx context.Context, o *driver.Operations) error

// sorted returns operations in the order of their names.
func sorted(ops map[string]operation) iter.Seq2[string, operation] {
	return func(yield func(string, operation) bool) {
		for _, name := range slices.Sorted(maps.Keys(ops)) {
			if !yield(name, ops[name]) {
				return
			}
		}
	}
}

// writes are all operations that change the entry k, by name. Each is called on a store
// in which k is present, with the value "1".
var writes = map[string]operation{
	"Set":    func(ctx context.Context, o *driver.Operations) error { return o.Set(ctx, "k", []byte("2"), 0) },
	"Delete": func(ctx context.Context, o *driver.Operations) error { _, err := o.Delete(ctx, "k"); return err },
	"Inc":    func(ctx context.Context, o *driver.Operations) error { _, err := o.Inc(ctx, "k", 1, 0); return err },
	"CompareAndSwap": func(ctx context.Context, o *driver.Operations) error {
		_, err := o.CompareAndSwap(ctx, "k", []byte("1"), []byte("2"), 0)
		return err
	},
	"SetMany": func(ctx context.Context, o *driver.Operations) error {
		return o.SetMany(ctx, []driver.Item{{Key: "k", Value: []byte("2")}, {Key: "l", Value: []byte("2")}}, 0)
	},
	"DeleteMany": func(ctx context.Context, o *driver.Operations) error {
		_, err := o.DeleteMany(ctx, []string{"k", "l"})
		return err
	},
	"Clear":       func(ctx context.Context, o *driver.Operations) error { return o.Clear(ctx) },
	"ClearPrefix": func(ctx context.Context, o *driver.Operations) error { return o.ClearPrefix(ctx, "k") },
}

// adds are the operations that store k only if it is absent.
var adds = map[string]operation{
	"Add": func(ctx context.Context, o *driver.Operations) error {
		_, err := o.Add(ctx, "k", []byte("2"), 0)
		return err
	},
	"Fill": func(ctx context.Context, o *driver.Operations) error {
		_, _, token, err := o.Lease(ctx, "k", time.Second)
		if err == nil {
			_, err = o.Fill(ctx, "k", token, []byte("2"), 0)
		}
		return err
	},
}

// inFar returns the value of key in far, "" for none.
func (w *world) inFar(key string) string {
	value, _, err := w.far.Get(w.ctx, key)
	w.must(err)
	return string(value)
}

// inNear returns the value of key near, "" for none.
func (w *world) inNear(key string) string {
	value, _, _ := w.near.Get(w.ctx, key)
	return string(value)
}

// pauseFar lets the next call of op pause: before its effect in far, or after it. It
// returns channels that report the pause and end it.
func (w *world) pauseFar(op string, after bool) (paused <-chan struct{}, resume func()) {
	reached, release := make(chan struct{}), make(chan struct{})
	done := false
	hook := func(called, _ string) error {
		if called == op && !done {
			done = true
			close(reached)
			<-release
		}
		return nil
	}
	if after {
		w.far.After(hook)
	} else {
		w.far.Before(hook)
	}
	return reached, func() { close(release) }
}

var errLink = fmt.Errorf("%w: %w", driver.ErrUnavailable, errors.New("connection refused"))
