//go:build !race

package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/filesystem"
	"github.com/cachebackends/cachebackends/loader"
	"github.com/cachebackends/cachebackends/simple"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Regressions show here as work that is counted, never as time: allocations and bytes
// of them. A limit is what was counted when it was written. The race detector allocates
// as well, so these tests are left out under it. Work over a network is counted in
// conformance/integration, which has the servers.

// work is what an operation allocates at most.
type work struct {
	name          string
	allocs, bytes uint64
	do            func() error
}

// check counts over many calls and without collections, so that neither what a pool
// lost nor what the runtime did shows.
func (w work) check(t *testing.T) {
	t.Helper()
	const calls = 1000
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	call := func(n int) {
		for range n {
			if err := w.do(); err != nil {
				t.Fatal(err)
			}
		}
	}
	call(100) // what is made once is made
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	call(calls)
	runtime.ReadMemStats(&after)
	allocs, bytes := (after.Mallocs-before.Mallocs)/calls, (after.TotalAlloc-before.TotalAlloc)/calls
	t.Logf("%d allocations, %d bytes", allocs, bytes)
	if allocs > w.allocs || bytes > w.bytes {
		t.Errorf("%d allocations, %d bytes; want at most %d, %d", allocs, bytes, w.allocs, w.bytes)
	}
}

func checkWork(t *testing.T, all []work) {
	for _, w := range all {
		t.Run(w.name, w.check)
	}
}

// user is a value that a program would keep.
type user struct {
	ID      int64    `json:"id"`
	Name    string   `json:"name"`
	Email   string   `json:"email"`
	Roles   []string `json:"roles"`
	Created int64    `json:"created"`
}

var someUser = user{42, "Ada Lovelace", "ada@example.org", []string{"admin", "author"}, 1_700_000_000}

func miss(ok bool, err error) error {
	if err == nil && !ok {
		return os.ErrNotExist
	}
	return err
}

func TestWorkInMemory(t *testing.T) {
	b, err := simple.New(t.Context(), simple.Options{})
	c := newCache(t, b, err)
	ctx, key, value := context.Background(), "key", make([]byte, workload.ValueSize)
	raw := cache.Of[[]byte](c)
	kept, users, keptUsers := cache.Of[[]byte](c, cache.WithoutEncoding()), cache.Of[user](c), cache.Of[*user](c, cache.WithoutEncoding())
	for _, err := range []error{c.Set(ctx, key, value), kept.Set(ctx, "kept", value), users.Set(ctx, "user", someUser), keptUsers.Set(ctx, "keptUser", &someUser)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	loaded := loader.New(c, loader.Policy{Fresh: workload.Life, Stale: workload.Life}, func(context.Context, string) (*user, error) {
		return &someUser, nil
	}, cache.WithoutEncoding())
	t.Cleanup(func() { loaded.Close() })
	buffer := make([]byte, 0, workload.ValueSize)
	checkWork(t, []work{
		{"backend get", 0, 0, func() error { _, ok, err := b.Get(ctx, key); return miss(ok, err) }},
		{"backend set", 1, 64, func() error { return b.Set(ctx, key, value, workload.Life) }},
		{"cache get", 1, 112, func() error { _, ok, err := c.Get(ctx, key); return miss(ok, err) }},
		{"cache get into a buffer", 0, 0, func() error { _, ok, err := c.GetAppend(ctx, key, buffer); return miss(ok, err) }},
		{"cache set", 2, 176, func() error { return c.Set(ctx, key, value) }},
		{"view get of bytes", 1, 112, func() error { _, ok, err := raw.Get(ctx, key); return miss(ok, err) }},
		{"view set of bytes", 2, 176, func() error { return raw.Set(ctx, key, value) }},
		{"view get of kept bytes", 0, 0, func() error { _, ok, err := kept.Get(ctx, "kept"); return miss(ok, err) }},
		{"view get of a kept value", 0, 0, func() error { _, ok, err := keptUsers.Get(ctx, "keptUser"); return miss(ok, err) }},
		{"view set of a kept value", 1, 64, func() error { return keptUsers.Set(ctx, "keptUser", &someUser) }},
		{"loader get of a kept value", 0, 0, func() error { _, err := loaded.Get(ctx, "loaded"); return err }},
		{"view get of JSON", 12, 408, func() error { _, ok, err := users.Get(ctx, "user"); return miss(ok, err) }},
	})
}

// TestWorkOnFiles allows for the length of the directory's name.
func TestWorkOnFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counted on Linux, where files are opened in a directory that is open")
	}
	b, err := filesystem.New(t.Context(), filesystem.Options{Dir: filepath.Join(t.TempDir(), "cache")})
	c := newCache(t, b, err)
	ctx, value := context.Background(), make([]byte, workload.ValueSize)
	checkWork(t, []work{
		{"backend set", 8, 768, func() error { return b.Set(ctx, "key", value, workload.Life) }},
		{"backend get", 4, 512, func() error { _, ok, err := b.Get(ctx, "key"); return miss(ok, err) }},
		{"cache get", 4, 512, func() error { _, ok, err := c.Get(ctx, "key"); return miss(ok, err) }},
	})
}

// newCache ends with the test.
func newCache(t *testing.T, b cache.Backend, err error) *cache.Cache {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	c := cache.New(b, cache.WithDefaultTimeout(workload.Life))
	t.Cleanup(func() { c.Close() })
	return c
}
