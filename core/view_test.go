package cache_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

type user struct {
	Name string
	Tags []string
}

func roundTrip[T any](t *testing.T, c *cache.Cache, value T, stored string) {
	t.Helper()
	ctx := context.Background()
	v := cache.Of[T](c)
	must(t, v.Set(ctx, "k", value))
	if raw, _, _ := c.Get(ctx, "k"); stored != "" && string(raw) != stored {
		t.Errorf("%T is stored as %q, want %q", value, raw, stored)
	}
	got, ok, err := v.Get(ctx, "k")
	if !reflect.DeepEqual(got, value) || !ok || err != nil {
		t.Errorf("%T: got %v, %v, %v; want %v", value, got, ok, err, value)
	}
}

func TestViewEncodings(t *testing.T) {
	c := cache.New(newFake())
	roundTrip(t, c, "text\x00\xff", "text\x00\xff")
	roundTrip(t, c, []byte("!raw"), "!raw")
	roundTrip(t, c, []byte{}, "")
	roundTrip(t, c, math.MinInt, "-9223372036854775808")
	roundTrip(t, c, int8(math.MinInt8), "-128")
	roundTrip(t, c, int16(-3), "-3")
	roundTrip(t, c, int32(-4), "-4")
	roundTrip(t, c, int64(math.MaxInt64), "9223372036854775807")
	roundTrip(t, c, uint(1), "1")
	roundTrip(t, c, uint8(255), "255")
	roundTrip(t, c, uint16(2), "2")
	roundTrip(t, c, uint32(3), "3")
	roundTrip(t, c, uint64(math.MaxUint64), "18446744073709551615")
	roundTrip(t, c, true, "true")
	roundTrip(t, c, 1.5, "1.5")
	roundTrip(t, c, user{"Ada", []string{"x"}}, `{"Name":"Ada","Tags":["x"]}`)
	roundTrip(t, c, &user{Name: "Ada"}, "")
	roundTrip(t, c, map[string]int{"a": 1}, `{"a":1}`)
	roundTrip(t, cache.New(newFake(), cache.WithCodec(cache.Gob)), map[user2]int{{1, 2}: 3}, "")
}

// user2 cannot be a key of a map in JSON.
type user2 struct{ A, B int }

func TestUndecodable(t *testing.T) {
	ctx := t.Context()
	c := cache.New(newFake())
	for _, tt := range []struct {
		name, stored string
		get          func(string) (any, bool, error)
	}{
		{"text as int", "twelve", untyped(cache.Of[int](c))},
		{"beyond int8", "128", untyped(cache.Of[int8](c))},
		{"negative as uint", "-1", untyped(cache.Of[uint64](c))},
		{"broken JSON", `{"Name":`, untyped(cache.Of[user](c))},
		{"nothing as JSON", "", untyped(cache.Of[user](c))},
		{"half right JSON", `{"Name":"s3cret","Tags":1}`, untyped(cache.Of[user](c))},
		{"JSON as gob", `{`, untyped(cache.Of[user](cache.New(c.Backend(), cache.WithCodec(cache.Gob))))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			must(t, c.Set(ctx, "k", []byte(tt.stored)))
			value, ok, err := tt.get("k")
			if ok || !errors.Is(err, cache.ErrCorrupt) || !reflect.ValueOf(value).IsZero() {
				t.Errorf("got %v, %v, %v; want the zero value and ErrCorrupt", value, ok, err)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the value is in the text: %v", err)
			}
			ignoring := cache.Of[user](cache.New(c.Backend(), cache.WithIgnoreErrors()))
			if _, ok, err := ignoring.Get(ctx, "k"); ok || err != nil {
				t.Errorf("ignoring errors: %v, %v; want a miss", ok, err)
			}
		})
	}
}

func untyped[T any](v cache.View[T]) func(string) (any, bool, error) {
	return func(key string) (any, bool, error) {
		value, ok, err := v.Get(context.Background(), key)
		return value, ok, err
	}
}

func TestUnencodable(t *testing.T) {
	backend := newFake()
	v := cache.Of[any](cache.New(backend, cache.WithIgnoreErrors()))
	if err := v.Set(t.Context(), "k", func() {}); err == nil {
		t.Error("Set of a func succeeded")
	}
	if _, err := v.Add(t.Context(), "k", make(chan int)); err == nil {
		t.Error("Add of a channel succeeded")
	}
	if backend.calls > 0 {
		t.Errorf("the backend was called %d times", backend.calls)
	}
}

func TestWithoutEncoding(t *testing.T) {
	ctx := t.Context()
	backend := newRich()
	c := cache.New(backend, cache.WithPrefix("p:"))
	v := cache.Of[*user](c, cache.WithoutEncoding())
	ada := &user{Name: "Ada"}
	must(t, v.Set(ctx, "k", ada))
	if got, ok, err := v.Get(ctx, "k"); got != ada || !ok || err != nil {
		t.Errorf("Get = %p, %v, %v; want the very pointer %p", got, ok, err, ada)
	}
	if added, err := v.Add(ctx, "k", nil); added || err != nil {
		t.Errorf("Add over a present value = %v, %v", added, err)
	}
	must(t, v.SetMany(ctx, map[string]*user{"l": ada}))
	results, err := v.GetMany(ctx, "l", "none")
	must(t, err)
	if results[0].Value != ada || !results[0].OK || results[1].OK {
		t.Errorf("GetMany = %v", results)
	}
	if hits, err := v.GetDict(ctx, "l", "none"); len(hits) != 1 || hits["l"] != ada || err != nil {
		t.Errorf("GetDict = %v, %v", hits, err)
	}
	if _, ok, err := cache.Of[string](c, cache.WithoutEncoding()).Get(ctx, "k"); ok || !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("Get as another type = %v, %v; want ErrCorrupt", ok, err)
	}
	encoded := cache.Of[*user](cache.New(newFake()), cache.WithoutEncoding())
	must(t, encoded.Set(ctx, "k", ada))
	if got, ok, err := encoded.Get(ctx, "k"); got == ada || !ok || got.Name != "Ada" || err != nil {
		t.Errorf("on a backend that keeps no values: %v, %v, %v; want a decoded copy", got, ok, err)
	}
}

func TestHitsAllocateNothing(t *testing.T) {
	ctx := t.Context()
	c := cache.New(newRich())
	v := cache.Of[*user](c, cache.WithoutEncoding())
	must(t, v.Set(ctx, "k", &user{}))
	if n := testing.AllocsPerRun(100, func() { v.Get(ctx, "k") }); n != 0 {
		t.Errorf("a hit costs %v allocations", n)
	}
	must(t, c.Set(ctx, "bytes", []byte("v")))
	buffer := make([]byte, 0, 16)
	if n := testing.AllocsPerRun(100, func() { c.GetAppend(ctx, "bytes", buffer) }); n != 0 {
		t.Errorf("a hit in the caller's buffer costs %v allocations", n)
	}
}
