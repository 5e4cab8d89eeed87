package integration

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
)

// slowMachine is a timeout that a busy machine does not reach.
const slowMachine = 30 * time.Second

// patient returns the settings of a backend with a server, with timeouts that a busy machine
// does not reach: the defaults are three seconds.
func patient(settings map[string]any) map[string]any {
	_, isClient := settings["CACHE_MEMCACHED_SERVERS"].(*memcache.Client) // which has its own
	switch settings["CACHE_TYPE"] {
	case "simple", "filesystem", "gcs", "tiered", "guard":
		return settings
	}
	if isClient || settings == nil {
		return settings
	}
	settings = maps.Clone(settings)
	options := map[string]any{"dial_timeout": slowMachine.Seconds(), "read_timeout": slowMachine.Seconds(), "write_timeout": slowMachine.Seconds()}
	if more, is := settings["CACHE_OPTIONS"].(map[string]any); is {
		maps.Copy(options, more)
	}
	settings["CACHE_OPTIONS"] = options
	return settings
}

// over is the harness of the backend that settings describe.
func over(settings map[string]any) conformance.Harness {
	settings = patient(settings)
	open := func(t *testing.T) cache.Backend {
		t.Helper()
		c, err := cache.Open(t.Context(), cache.FromMap(settings))
		if err != nil {
			t.Fatal(err)
		}
		return c.Backend()
	}
	return conformance.Harness{
		New:    open,
		Stores: conformance.Stores{Reopen: func(t *testing.T, _ cache.Backend) cache.Backend { return open(t) }},
	}
}

// emptied lends the suite the store that settings describe, to be emptied.
func emptied(h conformance.Harness, settings map[string]any) conformance.Harness {
	settings = maps.Clone(settings)
	settings["CACHE_ALLOW_FLUSH"] = true
	h.Stores.ClearAllowed = over(settings).New
	return h
}

// apart gives each case a store of its own: the n-th of those that open knows.
func apart(h conformance.Harness, open func(t *testing.T, n int) cache.Backend) conformance.Harness {
	var last atomic.Int64
	var stores sync.Map // by backend, the number of its store
	h.Isolated = true
	h.New = func(t *testing.T) cache.Backend {
		n := int(last.Add(1))
		b := open(t, n)
		stores.Store(b, n)
		return b
	}
	h.Stores.Reopen = func(t *testing.T, first cache.Backend) cache.Backend {
		n, _ := stores.Load(first)
		return open(t, n.(int))
	}
	return h
}

// opened is a cache over the backend that a New has returned.
func opened[B cache.Backend](t *testing.T, b B, err error) *cache.Cache {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	c := cache.New(b)
	t.Cleanup(func() { c.Close() })
	return c
}

// together makes so many calls at once, and returns after the last.
func together(callers int, call func(caller int)) {
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() { call(i) })
	}
	all.Wait()
}

// patiently tries with a little time, and again with more while something is wrong:
// a busy machine does not get everything done in a short time. A defect fails each time.
func patiently(t *testing.T, try func(patience time.Duration) error) {
	t.Helper()
	var err error
	for patience := 100 * time.Millisecond; patience < 10*time.Second; patience *= 4 {
		if err = try(patience); err == nil {
			return
		}
	}
	t.Error(err)
}

// verbs are one call of each kind.
var verbs = map[string]func(ctx context.Context, c *cache.Cache, key string) error{
	"Get": func(ctx context.Context, c *cache.Cache, key string) error { _, _, err := c.Get(ctx, key); return err },
	"GetMany": func(ctx context.Context, c *cache.Cache, key string) error {
		_, err := c.GetMany(ctx, key, key+"2")
		return err
	},
	"Has": func(ctx context.Context, c *cache.Cache, key string) error { _, err := c.Has(ctx, key); return err },
	"Set": func(ctx context.Context, c *cache.Cache, key string) error { return c.Set(ctx, key, []byte("1")) },
	"Add": func(ctx context.Context, c *cache.Cache, key string) error {
		_, err := c.Add(ctx, key, []byte("1"))
		return err
	},
	"Inc":    func(ctx context.Context, c *cache.Cache, key string) error { _, err := c.Inc(ctx, key, 1); return err },
	"Delete": func(ctx context.Context, c *cache.Cache, key string) error { _, err := c.Delete(ctx, key); return err },
	"DeleteMany": func(ctx context.Context, c *cache.Cache, key string) error {
		_, err := c.DeleteMany(ctx, key, key+"2")
		return err
	},
	"SetMany": func(ctx context.Context, c *cache.Cache, key string) error {
		return c.SetMany(ctx, map[string][]byte{key: []byte("1"), key + "2": []byte("1")})
	},
}

// failures are the keys that a batch names as failed, and why.
func failures(t *testing.T, err error) map[string]error {
	t.Helper()
	var batch *cache.BatchError
	if !errors.As(err, &batch) {
		t.Fatalf("%v; want a BatchError", err)
	}
	failed := map[string]error{}
	for _, f := range batch.Failed {
		failed[f.Key] = f.Err
	}
	return failed
}

// caFile writes the authority of certificate to a file.
func caFile(t *testing.T, certificate servers.Certificate) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, []byte(certificate.CA), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
