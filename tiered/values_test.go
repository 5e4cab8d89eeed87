package tiered

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

type user struct{ Name string }

// counting is JSON that counts what it decodes.
type counting struct{ decoded *int }

func (c counting) Marshal(value any) ([]byte, error) { return json.Marshal(value) }
func (c counting) Unmarshal(data []byte, target any) error {
	*c.decoded++
	return json.Unmarshal(data, target)
}

// inWorld runs check with a view WithoutEncoding of the cache over the Backend.
func inWorld(t *testing.T, s setup, check func(w *world, c *cache.Cache, users cache.View[*user], decoded *int)) {
	t.Helper()
	for _, failure := range run(t, s, func(w *world) {
		decoded := new(int)
		c := cache.New(w.b, cache.WithCodec(counting{decoded}))
		check(w, c, cache.Of[*user](c, cache.WithoutEncoding()), decoded)
	}) {
		t.Error(failure)
	}
}

// A value is decoded once, by Get, GetMany or GetOrSet, and all callers share it.
func TestValuesAreDecodedOnce(t *testing.T) {
	get := map[string]func(ctx context.Context, users cache.View[*user]) (*user, error){
		"Get": func(ctx context.Context, users cache.View[*user]) (*user, error) {
			u, _, err := users.Get(ctx, "k")
			return u, err
		},
		"GetMany": func(ctx context.Context, users cache.View[*user]) (*user, error) {
			results, err := users.GetMany(ctx, "k", "absent")
			return results[0].Value, err
		},
		"GetOrSet": func(ctx context.Context, users cache.View[*user]) (*user, error) {
			return users.GetOrSet(ctx, "k", func(context.Context) (*user, error) { panic("a load of a key that is present") })
		},
	}
	store := map[string]func(w *world, users cache.View[*user]) error{
		"by another process": func(w *world, _ cache.View[*user]) error {
			return w.far.Set(w.ctx, "k", []byte(`{"Name":"Ann"}`), time.Minute)
		},
		"by the view": func(w *world, users cache.View[*user]) error {
			return users.Set(w.ctx, "k", &user{"Ann"}, cache.Timeout(time.Minute))
		},
	}
	for how, get := range get {
		for by, store := range store {
			t.Run(how+" "+by, func(t *testing.T) {
				inWorld(t, setup{}, func(w *world, c *cache.Cache, users cache.View[*user], decoded *int) {
					w.must(store(w, users))
					synctest.Wait()
					first, err := get(w.ctx, users)
					if err != nil || first == nil || first.Name != "Ann" {
						w.errorf("got %+v, %v", first, err)
					}
					w.far.Calls()
					for range 3 {
						again, err := get(w.ctx, users)
						if again != first || err != nil {
							w.errorf("got %p, %v; want the value of the first call, %p", again, err, first)
						}
					}
					if *decoded != 1 {
						w.errorf("decoded %d times, want once", *decoded)
					}
					if calls := w.far.Calls(); how != "GetMany" && len(calls) > 0 {
						w.errorf("calls of far: %q", calls)
					}
				})
			})
		}
	}
}

// A decoded value is near no longer than its bytes would be, and a notice removes it.
func TestDecodedValueEnds(t *testing.T) {
	inWorld(t, setup{}, func(w *world, c *cache.Cache, users cache.View[*user], decoded *int) {
		is := func(want string) {
			u, ok, err := users.Get(w.ctx, "k")
			if err != nil || ok != (want != "") || ok && u.Name != want {
				w.errorf("got %+v, %v, %v; want %q", u, ok, err, want)
			}
		}
		w.must(w.far.Set(w.ctx, "k", []byte(`{"Name":"Ann"}`), time.Minute))
		synctest.Wait()
		is("Ann")
		time.Sleep(30 * time.Second)
		is("Ann")
		w.must(w.far.Set(w.ctx, "k", []byte(`{"Name":"Bob"}`), time.Minute))
		synctest.Wait()
		is("Bob")
		w.far.Silence(true)
		time.Sleep(time.Minute - time.Millisecond)
		is("Bob")
		time.Sleep(time.Millisecond)
		is("")
		w.must(users.Set(w.ctx, "k", &user{"Cay"}))
		is("Cay")
		_, err := c.Delete(w.ctx, "k")
		w.must(err)
		is("")
	})
}

// A value that was decoded from bytes that are no longer near is not kept.
func TestDecodedTooLate(t *testing.T) {
	for _, failure := range run(t, bounded, func(w *world) {
		w.must(w.far.Set(w.ctx, "k", []byte("1"), 0))
		w.read("k")
		data, _, err := w.b.Get(w.ctx, "k")
		w.must(err)
		for name, change := range map[string]func(){
			"Set of equal bytes": func() { w.must(w.b.Set(w.ctx, "k", []byte("1"), 0)) },
			"Delete":             func() { w.b.Delete(w.ctx, "k") },
			"a notice":           func() { w.b.near.changed("k") },
			"a new fill":         func() { w.b.near.changed("k"); w.far.Set(w.ctx, "k", bytes.Clone(data), 0); w.read("k") },
			"the end of a watch": func() { w.b.near.reset(false) },
		} {
			change()
			w.b.KeepDecoded("k", data, "decoded")
			if value, ok, err := w.b.GetValue(w.ctx, "k"); ok {
				w.errorf("after %s: got %v, %v; want no value", name, value, err)
			}
			w.b.near.reset(true)
		}
		w.must(w.b.Set(w.ctx, "k", data, 0))
		w.b.KeepDecoded("k", data, "decoded")
		if value, ok, _ := w.b.GetValue(w.ctx, "k"); !ok || value != "decoded" {
			w.errorf("got %v, %v; want the value that was decoded from what is near", value, ok)
		}
	}) {
		t.Error(failure)
	}
}

// Readers of bytes and of values work on one key.
func TestBytesAndValues(t *testing.T) {
	inWorld(t, bounded, func(w *world, c *cache.Cache, users cache.View[*user], decoded *int) {
		w.must(users.Set(w.ctx, "k", &user{"Ann"}))
		for range 2 {
			if u, ok, err := users.Get(w.ctx, "k"); err != nil || !ok || u.Name != "Ann" {
				w.errorf("got %+v, %v, %v", u, ok, err)
			}
			if data, ok, err := c.Get(w.ctx, "k"); err != nil || !ok || string(data) != `{"Name":"Ann"}` {
				w.errorf("got %q, %v, %v", data, ok, err)
			}
			if ok, err := c.Has(w.ctx, "k"); !ok || err != nil {
				w.errorf("Has: got %v, %v", ok, err)
			}
		}
		if names := cache.Of[string](c, cache.WithoutEncoding()); true {
			if text, ok, err := names.Get(w.ctx, "k"); err != nil || !ok || !strings.Contains(text, "Ann") {
				w.errorf("got %q, %v, %v", text, ok, err)
			}
		}
	})
}

// GetOrSet of a view WithoutEncoding loads under a lease of far, stores bytes there, and
// finds what is near.
func TestGetOrSetWithLease(t *testing.T) {
	inWorld(t, bounded, func(w *world, c *cache.Cache, users cache.View[*user], decoded *int) {
		loads := 0
		for range 3 {
			u, err := users.GetOrSet(w.ctx, "k", func(context.Context) (*user, error) {
				loads++
				return &user{"Ann"}, nil
			}, cache.Lease(time.Second))
			if err != nil || u.Name != "Ann" {
				w.errorf("got %+v, %v", u, err)
			}
		}
		if loads != 1 || w.inFar("k") != `{"Name":"Ann"}` {
			w.errorf("%d loads, far has %q", loads, w.inFar("k"))
		}
		if _, ok, token, err := w.b.LeaseValue(w.ctx, "k", time.Second); !ok || token != "" || err != nil {
			w.errorf("LeaseValue of what is near: got %v, %q, %v", ok, token, err)
		}
	})
}
