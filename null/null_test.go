package null_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/null"
)

func TestStoresNothing(t *testing.T) {
	c := open(t, nil)
	ctx := t.Context()
	if err := c.Set(ctx, "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	if value, ok, err := c.Get(ctx, "k"); value != nil || ok || err != nil {
		t.Errorf("Get = %q, %v, %v; want a miss", value, ok, err)
	}
	for range 2 {
		if added, err := c.Add(ctx, "k", nil); !added || err != nil {
			t.Errorf("Add = %v, %v; want true every time", added, err)
		}
	}
	if deleted, err := c.Delete(ctx, "k"); deleted || err != nil {
		t.Errorf("Delete = %v, %v; want false", deleted, err)
	}
	if sum, err := c.Inc(ctx, "k", 3); sum != 3 || err != nil {
		t.Errorf("Inc = %v, %v; want 3, at which an absent key starts", sum, err)
	}
	for entry, err := range c.Scan(ctx, "") {
		t.Errorf("Scan lists %v, %v", entry, err)
	}
	if _, ok, err := c.TTL(ctx, "k"); ok || err != nil {
		t.Errorf("TTL = %v, %v; want a miss", ok, err)
	}
}

func TestInvalidArguments(t *testing.T) {
	c := open(t, nil)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct{ got, want error }{
		"empty key":         {c.Set(t.Context(), "", nil), cache.ErrInvalidKey},
		"negative timeout":  {c.Set(t.Context(), "k", nil, cache.Timeout(-1)), cache.ErrInvalidTimeout},
		"cancelled context": {c.Set(done, "k", nil), context.Canceled},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
}

func TestClose(t *testing.T) {
	c := open(t, map[string]any{"CACHE_KEY_PREFIX": "p:"})
	for range 2 {
		if err := c.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	ctx := t.Context()
	_, _, errGet := c.Get(ctx, "k")
	_, errAdd := c.Add(ctx, "k", nil)
	_, errDelete := c.Delete(ctx, "k")
	_, errInc := c.Inc(ctx, "k", 1)
	_, _, errTTL := c.TTL(ctx, "k")
	for verb, err := range map[string]error{
		"get": errGet, "set": c.Set(ctx, "k", nil), "add": errAdd, "delete": errDelete,
		"inc": errInc, "ttl": errTTL, "clear prefix": c.Clear(ctx), "clear": c.Backend().Clear(ctx),
	} {
		if !errors.Is(err, cache.ErrClosed) {
			t.Errorf("%s after Close: %v; want ErrClosed", verb, err)
		}
	}
}

func TestWarning(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string]any
		warnings int
	}{
		"no type":  {nil, 1},
		"null":     {map[string]any{"CACHE_TYPE": "flask_caching.backends.NullCache"}, 1},
		"silenced": {map[string]any{"CACHE_NO_NULL_WARNING": "true"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			before := slog.Default()
			defer slog.SetDefault(before)
			var log bytes.Buffer
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
			open(t, tt.settings)
			if n := strings.Count(log.String(), "level=WARN"); n != tt.warnings {
				t.Errorf("%d warnings, want %d: %s", n, tt.warnings, &log)
			}
		})
	}
}

// What is wrong is named and nothing is opened.
func TestInvalidSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string]any
		want     string
	}{
		"no boolean":     {map[string]any{"CACHE_NO_NULL_WARNING": "perhaps"}, "CACHE_NO_NULL_WARNING: \"perhaps\" is not true or false"},
		"misspelt":       {map[string]any{"CACHE_NO_NUL_WARNING": true}, "did you mean CACHE_NO_NULL_WARNING?"},
		"unknown option": {map[string]any{"CACHE_OPTIONS": map[string]any{"threshold": 5}}, "CACHE_OPTIONS.threshold: no such option"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.settings["CACHE_TYPE"] = "null"
			_, err := cache.Open(t.Context(), cache.FromMap(tt.settings))
			if !errors.Is(err, cache.ErrInvalidSettings) || strings.Count(err.Error(), tt.want) != 1 {
				t.Errorf("Open: %v, want %q once", err, tt.want)
			}
		})
	}
}

func open(t *testing.T, settings map[string]any) *cache.Cache {
	t.Helper()
	c, err := cache.Open(t.Context(), cache.FromMap(settings))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, ok := c.Backend().(*null.Backend); !ok {
		t.Fatalf("opened a %T", c.Backend())
	}
	return c
}
