package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	crand "crypto/rand"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// Bench measures backend through Cache with the benchmarks that all backends
// share, so that their numbers can be compared: values of 100 bytes, 1000 keys
// under a random prefix, which it removes, batches of 100 keys. It does not
// close backend. What a backend lacks is skipped.
func Bench(b *testing.B, backend driver.Backend) {
	const size, entries, batch = 100, 1000, 100
	ctx := context.Background()
	c := cache.New(backend, cache.WithPrefix("bench-"+strings.ToLower(crand.Text()[:8])+":"))
	value := make([]byte, size)
	list := keys("k", entries)
	items := map[string][]byte{}
	for _, key := range list {
		items[key] = value
	}
	must := func(b *testing.B, err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	must(b, c.SetMany(ctx, items))
	b.Cleanup(func() {
		for _, more := range []string{"add", "inc"} {
			c.Delete(ctx, more)
		}
		c.DeleteMany(ctx, list...)
	})
	for key := range items {
		if len(items) > batch {
			delete(items, key)
		}
	}
	get := func(b *testing.B, key string, want bool) {
		if _, ok, err := c.Get(ctx, key); err != nil || ok != want {
			b.Fatal("Get: ", ok, err)
		}
	}
	for _, bench := range []struct {
		name  string
		bytes int64
		run   func(b *testing.B, i int)
	}{
		{"GetHit", size, func(b *testing.B, i int) { get(b, list[i%entries], true) }},
		{"GetMiss", 0, func(b *testing.B, i int) { get(b, "absent", false) }},
		{"Has", 0, func(b *testing.B, i int) { _, err := c.Has(ctx, list[i%entries]); must(b, err) }},
		{"Set", size, func(b *testing.B, i int) { must(b, c.Set(ctx, list[i%entries], value)) }},
		{"AddPresent", 0, func(b *testing.B, i int) { _, err := c.Add(ctx, list[i%entries], value); must(b, err) }},
		{"AddDelete", size, func(b *testing.B, i int) {
			_, err := c.Add(ctx, "add", value)
			must(b, err)
			_, err = c.Delete(ctx, "add")
			must(b, err)
		}},
		{"GetMany100", size * batch, func(b *testing.B, i int) { _, err := c.GetMany(ctx, list[:batch]...); must(b, err) }},
		{"SetMany100", size * batch, func(b *testing.B, i int) { must(b, c.SetMany(ctx, items, cache.Timeout(time.Hour))) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(bench.bytes)
			i := 0
			for b.Loop() {
				bench.run(b, i)
				i++
			}
		})
	}
	b.Run("Inc", func(b *testing.B) {
		if _, can := backend.(driver.Counter); !can {
			b.Skip("the backend does not support counters")
		}
		b.ReportAllocs()
		for b.Loop() {
			_, err := c.Inc(ctx, "inc", 1)
			must(b, err)
		}
	})
	for _, callers := range []int{1, 8} {
		b.Run(fmt.Sprintf("Parallel/9_Get_1_Set_x%d", callers), func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					key := list[i%entries]
					if i%10 == 0 {
						if err := c.Set(ctx, key, value); err != nil {
							b.Error(err)
						}
					} else if _, _, err := c.Get(ctx, key); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
