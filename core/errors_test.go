package cache_test

import (
	"errors"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

func TestErrorText(t *testing.T) {
	long := strings.Repeat("ü", 100)
	for _, tt := range []struct {
		name string
		key  string
		want string
	}{
		{"plain", "user:1", `cache: redis get "user:1": no answer`},
		{"none", "", `cache: redis get: no answer`},
		{"cannot forge a line of log", "a\nINFO all is well", `cache: redis get "a\nINFO all is well": no answer`},
		{"cut between runes", long, `cache: redis get "` + strings.Repeat("ü", 32) + `"... (200 bytes): no answer`},
		{"cut inside bytes that are no runes", strings.Repeat("\x80", 100), `cache: redis get "` + strings.Repeat(`\x80`, 60) + `"... (100 bytes): no answer`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := &cache.Error{Op: "get", Backend: "redis", Key: tt.key, Err: errDown}
			if got := err.Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestErrorShowsKeyWithoutPrefixAndNoValue(t *testing.T) {
	backend := newFake()
	backend.fail = failOn("", errDown)
	c := cache.New(backend, cache.WithPrefix("tenant:"))
	err := c.Set(t.Context(), "k", []byte("s3cret"))
	var e *cache.Error
	if !errors.As(err, &e) || e.Op != "set" || e.Key != "k" || e.Backend != "cache_test.fake" || c.Name() != e.Backend || !errors.Is(err, errDown) {
		t.Errorf("got %#v", err)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the value is in the text: %v", err)
	}
}

func TestBatchErrorText(t *testing.T) {
	var batch cache.BatchError
	if batch.ErrorOrNil() != nil {
		t.Error("an empty BatchError is an error")
	}
	for _, key := range []string{"a", "b", "c", "d"} {
		batch.Fail(key, errDown)
	}
	want := `4 failed; "a": no answer; "b": no answer; "c": no answer; ...`
	if got := batch.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
