package cache_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

type testSettings struct {
	X int `setting:"CACHE_X"`
}

// register makes a backend available under a new name, because a name cannot be
// unregistered between two runs of the test.
func register(open func(context.Context, *driver.Settings) (driver.Backend, error)) (name string) {
	name = "open_test." + strings.ToLower(rand.Text())
	driver.Register(driver.Info{Types: []string{name}, Settings: testSettings{}, Open: open})
	return name
}

func TestOpenAppliesSettings(t *testing.T) {
	backend := newRich()
	name := register(func(context.Context, *driver.Settings) (driver.Backend, error) { return backend, nil })
	c, err := cache.Open(t.Context(), cache.FromMap(map[string]any{
		"CACHE_TYPE": name, "CACHE_KEY_PREFIX": " p:", "CACHE_DEFAULT_TIMEOUT": "2m", "CACHE_IGNORE_ERRORS": 1,
	}))
	must(t, err)
	must(t, c.Set(t.Context(), "k", nil))
	if backend.ttls[" p:k"] != 2*time.Minute {
		t.Errorf("stored with %v; want the prefix and the timeout of the settings", backend.ttls)
	}
	backend.fail = failOn("", errDown)
	if err := c.Set(t.Context(), "k", nil); err != nil {
		t.Errorf("%v; want errors ignored", err)
	}
	c, err = cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": name, "CACHE_KEY_PREFIX": "p:"}), cache.WithPrefix("q:"))
	must(t, err)
	backend.fail = nil
	must(t, c.Set(t.Context(), "k", nil))
	if _, ok := backend.ttls["q:k"]; !ok {
		t.Error("the option does not take precedence over the setting")
	}
}

// A backend that does not call Check is closed if its settings are wrong.
func TestOpenWithoutCheck(t *testing.T) {
	backend := newFake()
	name := register(func(_ context.Context, s *driver.Settings) (driver.Backend, error) {
		s.Bind(&testSettings{})
		return backend, nil
	})
	_, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": name, "CACHE_X": "abc"}))
	if !errors.Is(err, cache.ErrInvalidSettings) || !backend.closed {
		t.Errorf("error %v, backend closed: %v", err, backend.closed)
	}
}

func TestOpenReturnsErrorOfBackend(t *testing.T) {
	name := register(func(context.Context, *driver.Settings) (driver.Backend, error) { return nil, errDown })
	if _, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": name})); !errors.Is(err, errDown) {
		t.Errorf("error %v", err)
	}
}

func TestOpenWarnsAboutUnreadSettings(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	name := register(func(_ context.Context, s *driver.Settings) (driver.Backend, error) {
		s.Bind(&testSettings{})
		return newFake(), nil
	})
	_, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": name, "CACHE_X": 1, "CACHE_REDIS_URL": "redis://:hunter2@x", "CACHE_DIR": "/x"}))
	must(t, err)
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `settings="CACHE_DIR, CACHE_REDIS_URL"`) || strings.Contains(text, "hunter2") {
		t.Errorf("logged %q", text)
	}
}
