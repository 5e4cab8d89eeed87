package metrics

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/guard"
	"github.com/cachebackends/cachebackends/loader"
	"github.com/cachebackends/cachebackends/simple"
)

// program is what the metrics are of: a small cache in memory with a loader, and a guarded
// store that fails now and then.
type program struct {
	memory, guarded *cache.Cache
	store           *cachetest.Store
	loader          *loader.Loader[string]
	rounds          int
}

func newProgram(t testing.TB, options ...cache.Option) *program {
	t.Helper()
	memory, err := simple.New(t.Context(), simple.Options{Threshold: 20, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	p := &program{store: cachetest.NewStore()}
	guarded, err := guard.New(p.store, guard.Options{Faults: 3, Pause: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	p.memory, p.guarded = cache.New(memory, options...), cache.New(guarded, options...)
	p.loader = loader.New(p.memory, loader.Policy{Fresh: 10 * time.Millisecond, Stale: time.Minute}, func(_ context.Context, key string) (string, error) {
		time.Sleep(5 * time.Millisecond)
		if key == "broken" {
			return "", errors.New("no database")
		}
		return key, nil
	})
	t.Cleanup(func() {
		p.loader.Close()
		p.memory.Close()
		p.guarded.Close()
	})
	return p
}

// round makes each kind of event at least once.
func (p *program) round(ctx context.Context) {
	p.rounds++
	for _, c := range []*cache.Cache{p.memory, p.guarded} {
		c.Set(ctx, "k", []byte("some value"))
		c.Get(ctx, "k")
		c.GetMany(ctx, "k", "absent")
		c.Add(ctx, "k", nil)
		c.Inc(ctx, "n", 1)
		c.Delete(ctx, "k")
		c.Ping(ctx)
	}
	p.memory.Set(ctx, fmt.Sprint("short", p.rounds), nil, cache.Timeout(time.Millisecond))
	time.Sleep(2 * time.Millisecond)
	p.memory.Get(ctx, fmt.Sprint("short", p.rounds))
	for i := range 30 {
		p.memory.Set(ctx, fmt.Sprint("filler", p.rounds, i), nil)
	}
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() { p.loader.Get(ctx, fmt.Sprint("page", p.rounds)) })
	}
	callers.Wait()
	time.Sleep(10 * time.Millisecond)
	p.loader.Get(ctx, fmt.Sprint("page", p.rounds)) // stale
	p.loader.Get(ctx, "broken")
	p.store.Fail("", "", cache.ErrUnavailable)
	for range 4 {
		p.guarded.Get(ctx, "k")
	}
	p.store.Heal()
	time.Sleep(25 * time.Millisecond)
	p.guarded.Get(ctx, "k")
}
