package redis

import (
	"context"
	"errors"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

// Get allocates less than the driver, which allocates the command, its arguments and the
// value. The server allocates the same for both.
func TestAllocationsOfGet(t *testing.T) {
	addr := startFrugal(t, []byte(bulk("value")))
	b := start(t, Options{Addr: addr})
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	t.Cleanup(func() { client.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const runs = 500
	ours := testing.AllocsPerRun(runs, func() {
		if value, ok, err := b.Get(ctx, "k"); string(value) != "value" || !ok || err != nil {
			t.Errorf("%q, %v, %v", value, ok, err)
		}
	})
	theirs := testing.AllocsPerRun(runs, func() { client.Get(ctx, "k") })
	if ours >= theirs {
		t.Errorf("%v allocations; the driver %v", ours, theirs)
	}
}

// A GET that is used again knows nothing of the one before, and a value stays as it is.
func TestReusedGet(t *testing.T) {
	replies := map[string]string{"a": bulk("value of a"), "b": "$-1\r\n", "c": loading, "d": bulk(""), "e": bulk("value of e")}
	f := startFake(t, func(_ int, args []string) string {
		if args[0] == "get" {
			return replies[args[1]]
		}
		return ""
	})
	for _, shared := range []int{0, -1} {
		b := start(t, Options{Addr: f.addr})
		b.pipeline.MaxAlone = shared
		first, _, _ := b.Get(t.Context(), "a")
		for range 20 {
			for key, want := range map[string]struct {
				value string
				ok    bool
				err   error
			}{"a": {"value of a", true, nil}, "b": {}, "c": {err: cache.ErrUnavailable}, "d": {"", true, nil}, "e": {"value of e", true, nil}} {
				value, ok, err := b.Get(t.Context(), key)
				if string(value) != want.value || ok != want.ok || !errors.Is(err, want.err) {
					t.Errorf("%s: %q, %v, %v", key, value, ok, err)
				}
			}
		}
		if string(first) != "value of a" {
			t.Errorf("the first value has become %q", first)
		}
	}
}
