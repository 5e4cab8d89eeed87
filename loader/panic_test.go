package loader_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/cachetest"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/loader"
)

// A load may panic before the caller that has started it waits for it. The caller panics
// all the same, and only later callers get the remembered failure.
func TestPanicBeforeTheWait(t *testing.T) {
	l := loader.New(cache.New(cachetest.NewStore()), loader.Policy{Fresh: time.Minute, Backoff: time.Hour}, func(context.Context, string) (string, error) {
		panic("no value")
	})
	defer l.Close()
	for i := range 10_000 {
		key := fmt.Sprint(i)
		panicked, err := panicOfGet(t.Context(), l, key)
		if panicked == nil {
			t.Fatalf("Get of %s = %v, want a panic", key, err)
		}
		if panicked, err := panicOfGet(t.Context(), l, key); err == nil || panicked != nil {
			t.Fatalf("Get of %s again = %v, panic %v; want an error", key, err, panicked)
		}
	}
}

func panicOfGet(ctx context.Context, l *loader.Loader[string], key string) (panicked any, err error) {
	defer func() { panicked = recover() }()
	_, err = l.Get(ctx, key)
	return nil, err
}
