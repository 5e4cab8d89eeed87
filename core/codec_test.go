package cache_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

// onPointer has its methods on the pointer.
type onPointer struct{ text string }

func (p *onPointer) MarshalJSON() ([]byte, error) { return json.Marshal("<" + p.text + ">") }

func (p *onPointer) UnmarshalJSON(data []byte) (err error) {
	err = json.Unmarshal(data, &p.text)
	p.text = strings.Trim(p.text, "<>")
	return err
}

// Rule VAL-16 of the contract: what is written through a view is what it reads.
func TestViewsReadWhatTheyWrite(t *testing.T) {
	for _, backend := range []cache.Backend{newFake(), newRich()} {
		c := cache.New(backend)
		for _, text := range []any{"true", "null", "123", `{"admin":true}`, "hello", "", nil, true, 1.5} {
			readsBack(t, cache.Of[any](c), text)
			readsBack(t, cache.Of[any](c, cache.WithoutEncoding()), text)
		}
		readsBack(t, cache.Of[onPointer](c), onPointer{"x"})
		readsBack(t, cache.Of[[]onPointer](c), []onPointer{{"x"}, {"y"}})
		readsBack(t, cache.Of[struct{ In onPointer }](c), struct{ In onPointer }{onPointer{"x"}})
		readsBack(t, cache.Of[*onPointer](c), &onPointer{"x"})
		readsBack(t, cache.Of[error](c, cache.WithoutEncoding()), nil)
	}
}

func readsBack[T any](t *testing.T, v cache.View[T], value T) {
	t.Helper()
	ctx := t.Context()
	key := rand.Text()
	if err := v.Set(ctx, key, value); err != nil {
		if reflect.TypeFor[T]() == reflect.TypeFor[error]() {
			return // JSON cannot hold it
		}
		t.Errorf("Set(%#v): %v", value, err)
		return
	}
	got, ok, err := v.Get(ctx, key)
	if err != nil || !ok || !reflect.DeepEqual(got, value) {
		t.Errorf("stored %#v, read %#v, %v, %v", value, got, ok, err)
	}
	many, err := v.GetMany(ctx, key)
	if err != nil || !many[0].OK || !reflect.DeepEqual(many[0].Value, value) {
		t.Errorf("stored %#v, GetMany %#v, %v", value, many[0], err)
	}
	loads := 0
	for range 2 {
		v.GetOrSet(ctx, key+" loaded", func(context.Context) (T, error) { loads++; return value, nil })
	}
	if loads != 1 {
		t.Errorf("%#v: %d loads", value, loads)
	}
}

// panicking is a codec that panics.
type panicking struct{}

func (panicking) Marshal(any) ([]byte, error) { panic("no") }
func (panicking) Unmarshal([]byte, any) error { panic("no") }

// Rule VAL-17 of the contract.
func TestPanicOfCodecIsAnError(t *testing.T) {
	ctx := t.Context()
	backend := newFake()
	v := cache.Of[*struct{ A int }](cache.New(backend, cache.WithCodec(cache.Gob)))
	if err := v.Set(ctx, "k", nil); err == nil || len(backend.data) > 0 {
		t.Errorf("Set(nil): %v, stored %q", err, backend.data)
	}
	if err := v.SetMany(ctx, map[string]*struct{ A int }{"k": nil, "l": {1}}); err == nil || len(backend.data) != 1 {
		t.Errorf("SetMany: %v, stored %q", err, backend.data)
	}
	if _, err := v.GetOrSet(ctx, "k", func(context.Context) (*struct{ A int }, error) { return nil, nil }); err == nil {
		t.Error("GetOrSet: no error")
	}
	broken := cache.Of[bool](cache.New(backend, cache.WithCodec(panicking{})))
	must(t, backend.Set(ctx, "b", []byte("x"), 0))
	if _, ok, err := broken.Get(ctx, "b"); ok || !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("Get: %v, %v", ok, err)
	}
}

// The error says where, and shows nothing of the value.
func TestUndecodableNamesTheField(t *testing.T) {
	type user struct {
		Name string
		Age  int `json:"age"`
	}
	backend := newFake()
	c := cache.New(backend)
	for stored, want := range map[string]string{
		`{"Name":"x","age":"hunter2"}`: "as cache_test.user: field age is not of type int",
		`{"Name":"hunter2`:             "as cache_test.user: malformed JSON at byte",
	} {
		must(t, backend.Set(t.Context(), "k", []byte(stored), 0))
		_, _, err := cache.Of[user](c).Get(t.Context(), "k")
		if !errors.Is(err, cache.ErrCorrupt) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", stored, err)
		}
	}
	must(t, backend.Set(t.Context(), "k", []byte("hunter2"), 0))
	if _, _, err := cache.Of[any](c).Get(t.Context(), "k"); err == nil || strings.Contains(err.Error(), "<nil>") {
		t.Errorf("%v", err)
	}
}
