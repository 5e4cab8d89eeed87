package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/simple"
	"github.com/cachebackends/cachebackends/tiered"
)

// watched returns two processes that share a redis: the first writes, the second has a
// near store and receives the notices of changes through a proxy.
func watched(t *testing.T, o tiered.Options) (writer *cache.Cache, reader *tiered.Backend, link *proxy.Proxy) {
	t.Helper()
	addr := servers.StartRedis(t, "").Addrs[0]
	link, err := proxy.New(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { link.Close() })
	far := func(addr string) *redis.Backend {
		b, err := redis.New(t.Context(), patientRedis(redis.Options{Addr: addr}))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	watcher := far(link.Addr())
	t.Cleanup(func() { watcher.Close() })
	o.Watch = watcher
	reader = inFrontOf(t, far(addr), o)
	t.Cleanup(func() { reader.Close() })
	writer = cache.New(far(addr))
	t.Cleanup(func() { writer.Close() })
	return writer, reader, link
}

// until waits until holds, and fails after a time that no machine needs.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// reads reports whether b reads value.
func reads(t *testing.T, b driver.Backend, key, value string) bool {
	t.Helper()
	got, ok, err := b.Get(t.Context(), key)
	return ok && err == nil && string(got) == value
}

// A write of another process is visible as soon as its notice arrives.
func TestTieredSeesOthersWrites(t *testing.T) {
	busy(t)
	writer, reader, _ := watched(t, tiered.Options{})
	until(t, "notices arrive", reader.Watching)
	var delays []time.Duration
	for i := range 100 {
		value := fmt.Sprint(i)
		if err := writer.Set(t.Context(), "k", []byte(value)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		until(t, "the value "+value+" is seen", func() bool { return reads(t, reader, "k", value) })
		delays = append(delays, time.Since(start))
	}
	if _, err := writer.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	until(t, "the key is absent", func() bool { _, ok, err := reader.Get(t.Context(), "k"); return !ok && err == nil })
	slices.Sort(delays)
	t.Logf("from the end of Set to the first new read: p50 %v, p99 %v", delays[50], delays[98])
}

// A link of notices that is cut, or falls silent, empties near within Grace: from then on
// no value is read that was replaced before.
func TestTieredLinkIsCut(t *testing.T) {
	busy(t)
	const grace = 400 * time.Millisecond
	for _, fault := range []proxy.Fault{proxy.Blackhole, proxy.Refuse} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			t.Parallel()
			writer, reader, link := watched(t, tiered.Options{Grace: grace, OnLost: func(error) {}})
			var ages []time.Duration
			for i := range 5 {
				until(t, "notices arrive", reader.Watching)
				before, after := fmt.Sprint("before", i), fmt.Sprint("after", i)
				if err := writer.Set(t.Context(), "k", []byte(before)); err != nil {
					t.Fatal(err)
				}
				until(t, "the first value is read", func() bool { return reads(t, reader, "k", before) })
				if err := link.Set(fault); err != nil {
					t.Fatal(err)
				}
				if err := writer.Set(t.Context(), "k", []byte(after)); err != nil {
					t.Fatal(err)
				}
				cut := time.Now()
				until(t, "the second value is read", func() bool { return reads(t, reader, "k", after) })
				ages = append(ages, time.Since(cut))
				until(t, "the loss is noticed", func() bool { return !reader.Watching() })
				if err := link.Set(proxy.Pass); err != nil {
					t.Fatal(err)
				}
				link.Drop() // what a black hole has swallowed does not continue
			}
			t.Logf("read after the link was cut, for at most: %v of Grace %v", slices.Max(ages), grace)
		})
	}
}

// A hit of a decoded value over tiered costs what it costs over simple, and allocates
// nothing.
func TestTieredHitAllocatesNothing(t *testing.T) {
	far, err := simple.New(t.Context(), simple.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := inFrontOf(t, far, tiered.Options{NearTTL: time.Hour})
	c := opened(t, b, nil)
	type user struct{ Name string }
	users := cache.Of[user](c, cache.WithoutEncoding())
	raw := cache.Of[string](c)
	if err := users.Set(t.Context(), "u", user{"Ann"}); err != nil {
		t.Fatal(err)
	}
	if err := raw.Set(t.Context(), "s", "text"); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for name, get := range map[string]func() bool{
		"decoded value": func() bool { u, ok, err := users.Get(ctx, "u"); return ok && err == nil && u.Name == "Ann" },
		"bytes":         func() bool { s, ok, err := raw.Get(ctx, "s"); return ok && err == nil && s == "text" },
	} {
		if !get() {
			t.Fatalf("%s: no hit", name)
		}
		if n := testing.AllocsPerRun(100, func() { get() }); n != 0 {
			t.Errorf("%s: %v allocations per hit, want none", name, n)
		}
	}
}

// Over simple alone, and over tiered in front of it: compare the two.
func BenchmarkTieredHit(b *testing.B) {
	type user struct{ Name string }
	ctx := b.Context()
	open := func() driver.Backend {
		s, err := simple.New(ctx, simple.Options{})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	for _, store := range []struct {
		name string
		open func() (driver.Backend, error)
	}{
		{"simple", func() (driver.Backend, error) { return open(), nil }},
		{"tiered", func() (driver.Backend, error) { return tiered.New(open(), open(), tiered.Options{NearTTL: time.Hour}) }},
	} {
		backend, err := store.open()
		if err != nil {
			b.Fatal(err)
		}
		c := cache.New(backend)
		defer c.Close()
		users, texts := cache.Of[*user](c, cache.WithoutEncoding()), cache.Of[string](c)
		if err := users.Set(ctx, "u", &user{"Ann"}); err != nil {
			b.Fatal(err)
		}
		if err := texts.Set(ctx, "s", "text"); err != nil {
			b.Fatal(err)
		}
		users.Get(ctx, "u")
		b.Run("value/"+store.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				users.Get(ctx, "u")
			}
		})
		b.Run("bytes/"+store.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				texts.Get(ctx, "s")
			}
		})
	}
}
