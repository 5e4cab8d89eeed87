package cache_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// universal is a UniversalCodec: integers as text, everything else as "p" and JSON.
type universal struct{}

func (universal) EncodesAll() {}

func (universal) Marshal(value any) ([]byte, error) {
	v := reflect.Indirect(reflect.ValueOf(value))
	if v.IsValid() && v.CanInt() {
		return strconv.AppendInt(nil, v.Int(), 10), nil
	}
	if raw, ok := v.Interface().([]byte); ok {
		value = string(raw)
	}
	data, err := json.Marshal(value)
	return append([]byte("p"), data...), err
}

func (universal) Unmarshal(data []byte, target any) error {
	text, isValue := strings.CutPrefix(string(data), "p")
	switch target := target.(type) {
	case *[]byte:
		if !isValue {
			*target = []byte(text)
			return nil
		}
		var value string
		err := json.Unmarshal([]byte(text), &value)
		*target = []byte(value)
		return detailed(err)
	case *string:
		if !isValue {
			*target = text
			return nil
		}
	}
	return detailed(json.Unmarshal([]byte(text), target))
}

type detailedError struct{ error }

func (detailedError) Detail() string { return "opcode REDUCE" }

func detailed(err error) error {
	if err == nil {
		return nil
	}
	return detailedError{err}
}

// A universal codec encodes what other codecs leave alone, in every method.
func TestUniversalCodec(t *testing.T) {
	backend, ctx := newFake(), t.Context()
	var last cache.Event
	c := cache.New(backend, cache.WithCodec(universal{}), cache.WithObserver(func(_ context.Context, e cache.Event) { last = e }))
	stored := func(key, want string) {
		t.Helper()
		if got, _, _ := backend.Get(ctx, key); string(got) != want {
			t.Errorf("%s is stored as %q, want %q", key, got, want)
		}
	}
	must(t, c.Set(ctx, "bytes", []byte("b")))
	must(t, c.Set(ctx, "nil", nil))
	_, err := c.Add(ctx, "added", []byte("a"))
	must(t, err)
	must(t, c.SetMany(ctx, map[string][]byte{"many": []byte("m")}))
	must(t, cache.Of[string](c).Set(ctx, "text", "t"))
	must(t, cache.Of[[]byte](c).Set(ctx, "null", nil))
	must(t, cache.Of[int](c).Set(ctx, "int", -7))
	must(t, cache.Of[any](c).Set(ctx, "any", true))
	for key, want := range map[string]string{
		"bytes": `p"b"`, "nil": `p""`, "added": `p"a"`, "many": `p"m"`, "text": `p"t"`, "null": `p""`, "int": "-7", "any": "ptrue",
	} {
		stored(key, want)
	}
	for key, want := range map[string]string{"bytes": "b", "nil": "", "added": "a", "many": "m", "text": "t", "int": "-7"} {
		value, ok, err := c.Get(ctx, key)
		appended, ok2, err2 := c.GetAppend(ctx, key, []byte("x"))
		many, err3 := c.GetMany(ctx, key)
		text, ok4, err4 := cache.Of[string](c).Get(ctx, key)
		if string(value) != want || string(appended) != "x"+want || string(many[0].Value) != want || text != want ||
			value == nil || !ok || !ok2 || !ok4 || errors.Join(err, err2, err3, err4) != nil {
			t.Errorf("%s: Get = %q, GetAppend = %q, GetMany = %q, a view of string %q, %v", key, value, appended, many[0].Value, text, errors.Join(err, err2, err3, err4))
		}
	}
	if n, ok, err := cache.Of[int8](c).Get(ctx, "int"); n != -7 || !ok || err != nil {
		t.Errorf("int = %d, %v, %v", n, ok, err)
	}
	data, err := cache.Of[string](c).Encode("t")
	if text, err2 := cache.Of[string](c).Decode(data); string(data) != `p"t"` || text != "t" || err != nil || err2 != nil {
		t.Errorf("Encode = %q, %v, Decode = %q, %v", data, err, text, err2)
	}

	// The reason of a corrupt value is in the error of the caller and of the observer.
	must(t, backend.Set(ctx, "hostile", []byte("p{"), 0))
	for _, get := range []func() error{
		func() error { _, _, err := c.Get(ctx, "hostile"); return err },
		func() error { _, _, err := cache.Of[int](c).Get(ctx, "hostile"); return err },
	} {
		if err := get(); !errors.Is(err, cache.ErrCorrupt) || !strings.Contains(err.Error(), "opcode REDUCE") || !strings.Contains(fmt.Sprint(last.Err), "opcode REDUCE") {
			t.Errorf("error %v, observer %v; want the detail", err, last.Err)
		}
	}
}

// Leases and compare-and-swap take and return values, not what is stored.
func TestUniversalCodecLeases(t *testing.T) {
	backend, ctx := swapping{newLeasing()}, t.Context()
	c := cache.New(backend, cache.WithCodec(universal{}))
	_, _, token, err := c.Lease(ctx, "k", driver.MaxHold)
	must(t, err)
	if filled, err := c.Fill(ctx, "k", token, []byte("v")); !filled || err != nil {
		t.Fatalf("Fill = %v, %v", filled, err)
	}
	if value, ok, _, err := c.Lease(ctx, "k", driver.MaxHold); string(value) != "v" || !ok || err != nil {
		t.Errorf("Lease = %q, %v, %v", value, ok, err)
	}
	must(t, backend.Set(ctx, "k", []byte(`p "v"`), 0)) // another encoding of the same value
	for _, old := range []string{"x", "v"} {
		if swapped, err := c.CompareAndSwap(ctx, "k", []byte(old), []byte("w")); swapped != (old == "v") || err != nil {
			t.Errorf("CompareAndSwap of %q = %v, %v", old, swapped, err)
		}
	}
	if value, _, _ := c.Get(ctx, "k"); string(value) != "w" {
		t.Errorf("value %q", value)
	}
	if swapped, err := c.CompareAndSwap(ctx, "absent", nil, []byte("w")); swapped || err != nil {
		t.Errorf("CompareAndSwap of an absent key = %v, %v", swapped, err)
	}
}

type swapping struct{ *leasing }

func (s swapping) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	stored, ok, err := s.Get(ctx, key)
	if !ok || err != nil || !bytes.Equal(stored, old) {
		return false, err
	}
	return true, s.Set(ctx, key, value, ttl)
}

type flaskSettings struct{ Options }

type Options struct {
	Flask bool `setting:"CACHE_FLASK"`
}

func TestOpenFlask(t *testing.T) {
	backend, ctx := newFake(), t.Context()
	open := func(name string, settings any, prefix string) string {
		name = fmt.Sprintf("flask_test.%s.%p", name, backend)
		driver.Register(driver.Info{Types: []string{name}, Settings: settings, FlaskPrefix: prefix, Open: func(_ context.Context, s *driver.Settings) (driver.Backend, error) {
			var given flaskSettings
			if settings != nil {
				s.Bind(&given)
			}
			if err := s.Check(nil); err != nil {
				return nil, err
			}
			return backend, nil
		}})
		return name
	}
	able := open("able", flaskSettings{}, "flask_cache_")
	unable := open("unable", testSettings{}, "")
	without := open("without", nil, "")
	on := func(name string) cache.Config {
		return cache.FromMap(map[string]any{"CACHE_TYPE": name, "CACHE_FLASK": "true"})
	}

	_, err := cache.Open(ctx, on(able))
	if !errors.Is(err, cache.ErrInvalidSettings) || !strings.Contains(err.Error(), "CACHE_FLASK") || !strings.Contains(err.Error(), `import _ "github.com/cachebackends/cachebackends/flask"`) {
		t.Errorf("without package flask: %v", err)
	}
	defer cache.SetFlaskCodec(universal{})()

	c, err := cache.Open(ctx, on(able))
	must(t, err)
	must(t, c.Set(ctx, "k", []byte("v")))
	if got, _, _ := backend.Get(ctx, "flask_cache_k"); string(got) != `p"v"` {
		t.Errorf("stored %q under the prefix of Flask", got)
	}
	c, err = cache.Open(ctx, on(able).Override(cache.FromMap(map[string]any{"CACHE_KEY_PREFIX": ""})))
	must(t, err)
	must(t, c.Set(ctx, "k", []byte("v")))
	if _, ok, _ := backend.Get(ctx, "k"); !ok {
		t.Error("an empty CACHE_KEY_PREFIX is not the prefix")
	}
	if _, err := cache.Open(ctx, on(without)); err != nil {
		t.Errorf("a backend without settings: %v", err)
	}
	if _, err := cache.Open(ctx, on(unable)); !errors.Is(err, cache.ErrInvalidSettings) || !strings.Contains(err.Error(), "CACHE_FLASK") {
		t.Errorf("a backend without the layout: %v", err)
	}
	if _, err := cache.Open(ctx, on(able), cache.WithCodec(cache.JSON)); !errors.Is(err, cache.ErrInvalidSettings) || !backend.closed {
		t.Errorf("with a codec whose values Python would execute: %v, closed %v", err, backend.closed)
	}
	off, err := cache.Open(ctx, cache.FromMap(map[string]any{"CACHE_TYPE": able, "CACHE_FLASK": false}))
	must(t, err)
	backend.closed = false
	must(t, off.Set(ctx, "raw", []byte("v")))
	if got, _, _ := backend.Get(ctx, "raw"); string(got) != "v" {
		t.Errorf("with CACHE_FLASK=false: stored %q without a prefix", got)
	}
}

func TestOpenWarnsAboutFlaskSettings(t *testing.T) {
	defer cache.SetFlaskCodec(universal{})()
	name := fmt.Sprintf("flask_test.hints.%p", t)
	driver.Register(driver.Info{
		Types: []string{name}, Aliases: map[string]string{name + "cache": name}, Settings: flaskSettings{}, FlaskPrefix: "flask_cache_",
		Open: func(_ context.Context, s *driver.Settings) (driver.Backend, error) {
			s.Bind(new(flaskSettings))
			return newFake(), s.Check(nil)
		},
	})
	for _, test := range []struct {
		settings map[string]any
		want     []string // none for no warning
	}{
		{map[string]any{"CACHE_TYPE": name}, nil},
		{map[string]any{"CACHE_TYPE": name, "CACHE_SOURCE_CHECK": false, "CACHE_ARGS": []any{}}, nil},
		{map[string]any{"CACHE_TYPE": name, "CACHE_ARGS": []any{"/x"}}, []string{"CACHE_ARGS: ", "CACHE_FLASK: not set", "flask_cache_"}},
		{map[string]any{"CACHE_TYPE": name + "Cache"}, []string{"CACHE_FLASK: not set", "flask_cache_"}},
		{map[string]any{"CACHE_TYPE": name + "Cache", "CACHE_FLASK": false}, nil},
		{map[string]any{"CACHE_TYPE": name + "Cache", "CACHE_KEY_PREFIX": ""}, []string{"CACHE_FLASK: not set"}},
		{map[string]any{"CACHE_TYPE": name + "Cache", "CACHE_FLASK": true}, nil},
		{map[string]any{"CACHE_TYPE": name, "CACHE_FLASK": true, "CACHE_SOURCE_CHECK": "true"}, []string{"CACHE_SOURCE_CHECK: "}},
	} {
		var log bytes.Buffer
		before := slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		_, err := cache.Open(t.Context(), cache.FromMap(test.settings))
		slog.SetDefault(before)
		must(t, err)
		text := log.String()
		if strings.Count(text, "\n") != min(len(test.want), 1) {
			t.Errorf("%v: logged %q, want %q", test.settings, text, test.want)
		}
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%v: logged %q, want %q", test.settings, text, want)
			}
		}
	}
}
