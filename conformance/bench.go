package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

const (
	benchValue   = 100 // bytes
	benchEntries = 1000
	benchBatch   = 100 // keys
)

// Bench measures backend through Cache with the same benchmarks for every
// backend: values of 100 bytes, 1000 keys, batches of 100 keys. The keys have a
// random prefix and are removed. Bench does not close backend, and skips what it
// does not support.
func Bench(b *testing.B, backend driver.Backend) {
	f := newFixture(b, backend)
	for _, bench := range []struct {
		name  string
		bytes int64
		call  func(i int) error
	}{
		{"GetHit", benchValue, f.getHit},
		{"GetMiss", 0, f.getMiss},
		{"Has", 0, func(i int) error { _, err := f.cache.Has(f.ctx, f.key(i)); return err }},
		{"Set", benchValue, func(i int) error { return f.cache.Set(f.ctx, f.key(i), f.value) }},
		{"AddPresent", 0, func(i int) error { _, err := f.cache.Add(f.ctx, f.key(i), f.value); return err }},
		{"AddDelete", benchValue, f.addDelete},
		{"GetMany100", benchValue * benchBatch, func(int) error { _, err := f.cache.GetMany(f.ctx, f.keys[:benchBatch]...); return err }},
		{"SetMany100", benchValue * benchBatch, func(int) error { return f.cache.SetMany(f.ctx, f.batch) }},
	} {
		b.Run(bench.name, func(b *testing.B) { measure(b, bench.bytes, bench.call) })
	}
	b.Run("Inc", func(b *testing.B) {
		inc := func(int) error { _, err := f.cache.Inc(f.ctx, "inc", 1); return err }
		if errors.Is(inc(0), errors.ErrUnsupported) {
			b.Skip("the backend does not support counters")
		}
		measure(b, 0, inc)
	})
	for _, callers := range []int{1, 8} {
		b.Run(fmt.Sprintf("Parallel/9_Get_1_Set_x%d", callers), func(b *testing.B) { f.parallel(b, callers) })
	}
}

// measure calls call once per iteration.
func measure(b *testing.B, bytes int64, call func(i int) error) {
	b.ReportAllocs()
	b.SetBytes(bytes)
	for i := 0; b.Loop(); i++ {
		if err := call(i); err != nil {
			b.Fatal(err)
		}
	}
}

// fixture is a cache with entries under keys.
type fixture struct {
	ctx   context.Context
	cache *cache.Cache
	keys  []string
	value []byte
	batch map[string][]byte
}

func newFixture(b *testing.B, backend driver.Backend) *fixture {
	f := &fixture{
		ctx:   context.Background(),
		cache: cache.New(backend, cache.WithPrefix("bench-"+strings.ToLower(rand.Text()[:8])+":")),
		keys:  keys("k", benchEntries),
		value: make([]byte, benchValue),
		batch: map[string][]byte{},
	}
	all := map[string][]byte{}
	for i, key := range f.keys {
		all[key] = f.value
		if i < benchBatch {
			f.batch[key] = f.value
		}
	}
	if err := f.cache.SetMany(f.ctx, all); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.cache.DeleteMany(f.ctx, append(f.keys, "add", "inc")...) })
	return f
}

func (f *fixture) key(i int) string { return f.keys[i%benchEntries] }

func (f *fixture) getHit(i int) error { return f.get(f.key(i), true) }

func (f *fixture) getMiss(int) error { return f.get("absent", false) }

func (f *fixture) get(key string, want bool) error {
	_, ok, err := f.cache.Get(f.ctx, key)
	if err == nil && ok != want {
		err = fmt.Errorf("Get(%q): ok=%v, want %v", key, ok, want)
	}
	return err
}

func (f *fixture) addDelete(int) error {
	if _, err := f.cache.Add(f.ctx, "add", f.value); err != nil {
		return err
	}
	_, err := f.cache.Delete(f.ctx, "add")
	return err
}

// parallel measures callers per processor, nine reads for each write.
func (f *fixture) parallel(b *testing.B, callers int) {
	b.ReportAllocs()
	b.SetParallelism(callers)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if err := f.readOrWrite(i); err != nil {
				b.Error(err)
			}
		}
	})
}

func (f *fixture) readOrWrite(i int) error {
	if i%10 == 0 {
		return f.cache.Set(f.ctx, f.key(i), f.value)
	}
	_, _, err := f.cache.Get(f.ctx, f.key(i))
	return err
}
