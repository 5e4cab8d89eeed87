package cache_test

import (
	"context"
	"strings"
	"testing"
	"unsafe"

	cache "github.com/cachebackends/cachebackends/core"
)

// overlap reports whether text lies in the memory of data.
func overlap(text string, data []byte) bool {
	first, begin := uintptr(unsafe.Pointer(unsafe.StringData(text))), uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	return first >= begin && first < begin+uintptr(len(data))
}

// TestStringsShareMemoryWithTheStore reads through every operation of a view of string.
func TestStringsShareMemoryWithTheStore(t *testing.T) {
	ctx := t.Context()
	f := newRich()
	c := cache.New(f)
	v := cache.Of[string](c)
	must(t, v.Set(ctx, "k", "some text"))
	stored := f.data["k"]
	get, _, err := v.Get(ctx, "k")
	must(t, err)
	many, err := v.GetMany(ctx, "k")
	must(t, err)
	loaded, err := v.GetOrSet(ctx, "k", nil)
	must(t, err)
	for name, text := range map[string]string{"Get": get, "GetMany": many[0].Value, "GetOrSet": loaded} {
		if text != "some text" || !overlap(text, stored) {
			t.Errorf("%s returned %q, overlapping %v: want the stored memory", name, text, overlap(text, stored))
		}
	}
	raw, _, err := cache.Of[[]byte](c).Get(ctx, "k")
	must(t, err)
	if overlap(unsafe.String(&raw[0], len(raw)), stored) {
		t.Error("a view of []byte returned the stored memory")
	}
	if allocs := testing.AllocsPerRun(100, func() { v.Get(ctx, "k") }); allocs != 0 {
		t.Errorf("a hit of a view of string allocates %v times", allocs)
	}
}

// TestStoredStringPinsNoLargerText stores a part of a text through every operation.
func TestStoredStringPinsNoLargerText(t *testing.T) {
	ctx := t.Context()
	f := newRich()
	v := cache.Of[string](cache.New(f))
	text := strings.Repeat("text ", 1000)
	part := text[100:110]
	must(t, v.Set(ctx, "Set", part))
	_, err := v.Add(ctx, "Add", part)
	must(t, err)
	must(t, v.SetMany(ctx, map[string]string{"SetMany": part}))
	_, err = v.GetOrSet(ctx, "GetOrSet", func(context.Context) (string, error) { return part, nil })
	must(t, err)
	for _, key := range []string{"Set", "Add", "SetMany", "GetOrSet"} {
		if value := f.data[key]; string(value) != part || overlap(part, value) {
			t.Errorf("%s stored %q in the memory of the larger text", key, value)
		}
	}
}

// TestEncodeAndDecodeOfStringsCopy covers the functions whose results or arguments the
// caller may modify.
func TestEncodeAndDecodeOfStringsCopy(t *testing.T) {
	for name, c := range map[string]*cache.Cache{"sharing": cache.New(newFake()), "copying": cache.New(copying{newFake()})} {
		v := cache.Of[string](c)
		text := strings.Clone("text")
		data, err := v.Encode(text)
		must(t, err)
		if data[0] = 'n'; text != "text" {
			t.Errorf("%s: Encode returned the memory of the string", name)
		}
		decoded, err := v.Decode(data)
		must(t, err)
		if data[0] = 'b'; decoded != "next" {
			t.Errorf("%s: Decode returned the memory of data", name)
		}
	}
}

// TestCopierReceivesTheStringItself: a backend that keeps nothing needs no copy.
func TestCopierReceivesTheStringItself(t *testing.T) {
	ctx := t.Context()
	f := newFake()
	c := cache.New(copying{f})
	text := strings.Repeat("x", 1<<16)
	v := cache.Of[string](c)
	for _, text := range []string{text, ""} {
		must(t, v.Set(ctx, "k", text))
		if got, ok, err := v.Get(ctx, "k"); got != text || !ok || err != nil {
			t.Errorf("got %d bytes, %v, %v; want %d", len(got), ok, err, len(text))
		}
		if len(text) > 0 && !overlap(text, f.data["k"]) {
			t.Error("the backend received a copy")
		}
	}
}
