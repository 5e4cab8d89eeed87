package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// diagnosis runs checks and collects what they find.
type diagnosis struct {
	store    *entryStore
	config   cache.Config
	flags    doctorFlags
	findings []finding

	entries    int  // looked at
	withoutTTL int  // of those
	listed     bool // entries is known
}

func (d *diagnosis) add(outcome, check, detail, remedy string) {
	d.findings = append(d.findings, finding{outcome, check, detail, remedy})
}

func (d *diagnosis) count(outcome string) (n int) {
	for _, f := range d.findings {
		if f.Outcome == outcome {
			n++
		}
	}
	return n
}

// backend returns the name of the backend in the settings.
func (d *diagnosis) backend() string {
	typ, _ := d.config.Masked()["CACHE_TYPE"].(string)
	info, ok := driver.Lookup(typ)
	if !ok {
		return typ
	}
	return info.Types[0]
}

func (d *diagnosis) run(ctx context.Context) {
	d.connection(ctx)
	d.prefix()
	d.expiry(ctx)
	switch d.backend() {
	case "redis":
		d.servers(ctx, d.redis)
	case "memcached":
		d.servers(ctx, d.memcached)
	case "filesystem":
		d.directory()
	}
	d.permissions(ctx)
}

// pings is odd, so that there is a median.
const pings = 5

func (d *diagnosis) connection(ctx context.Context) {
	var took []time.Duration
	for range pings {
		start := time.Now()
		if err := d.store.cache.Ping(ctx); err != nil {
			d.add(outcomeProblem, "connection", err.Error(), "if it fails now and then, look at the load of the server and the network")
			return
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	d.add(outcomeOK, "connection", fmt.Sprintf("%s replies within %s", d.store.cache.Name(), shownLatency(took[pings/2])), "")
}

func (d *diagnosis) prefix() {
	shared := []string{"redis", "memcached", "uwsgi", "gcs"}
	switch {
	case d.store.prefix != "":
		d.add(outcomeOK, "prefix", "CACHE_KEY_PREFIX is "+shown(d.store.prefix), "")
	case slices.Contains(shared, d.backend()):
		d.add(outcomeWarning, "prefix",
			"CACHE_KEY_PREFIX is not set: programs that share the server overwrite each other's entries, and Clear removes those of all",
			"set CACHE_KEY_PREFIX, for example to app:")
	}
}

// maxNamed is how many keys a finding names.
const maxNamed = 3

// expiry looks at a sample of the entries under the prefix.
func (d *diagnosis) expiry(ctx context.Context) {
	var named []string
	for entry, err := range d.store.cache.Scan(ctx, "") {
		if errors.Is(err, errors.ErrUnsupported) {
			d.add(outcomeSkipped, "expiry", "the backend does not list its entries", "")
			return
		}
		if err != nil {
			d.add(outcomeProblem, "expiry", err.Error(), d.remedyFor(err))
			return
		}
		d.entries++
		if entry.TTL == 0 {
			d.withoutTTL++
			if len(named) < maxNamed {
				named = append(named, shown(entry.Key))
			}
		}
		if d.entries == d.flags.sample {
			break
		}
	}
	d.listed = true
	detail := fmt.Sprintf("%d of %d entries have no TTL", d.withoutTTL, d.entries)
	if d.withoutTTL == 0 {
		d.add(outcomeOK, "expiry", detail, "")
		return
	}
	remedy := "store with a timeout: entries without one stay until they are deleted or evicted"
	if given := d.config.Masked()["CACHE_DEFAULT_TIMEOUT"]; given != nil && fmt.Sprint(given) == "0" {
		remedy = "CACHE_DEFAULT_TIMEOUT=0 means never: set it to the longest time that an entry is useful"
	}
	d.add(outcomeWarning, "expiry", detail+": "+strings.Join(named, ", "), remedy)
}

// operation is one thing that a program does with a cache.
type operation struct {
	name string
	do   func(ctx context.Context, c *cache.Cache, key string) error
}

var readOperations = []operation{
	{"get", func(ctx context.Context, c *cache.Cache, key string) error { _, _, err := c.Get(ctx, key); return err }},
	{"has", func(ctx context.Context, c *cache.Cache, key string) error { _, err := c.Has(ctx, key); return err }},
	{"ttl", func(ctx context.Context, c *cache.Cache, key string) error { _, _, err := c.TTL(ctx, key); return err }},
	{"get_many", func(ctx context.Context, c *cache.Cache, key string) error {
		_, err := c.GetMany(ctx, key, key+"2")
		return err
	}},
	{"scan", func(ctx context.Context, c *cache.Cache, key string) error {
		for _, err := range c.Scan(ctx, key) {
			return err
		}
		return nil
	}},
	{"stats", func(ctx context.Context, c *cache.Cache, _ string) error { _, err := c.Stats(ctx); return err }},
}

// probeTTL bounds the life of the keys of doctor if it is killed.
const probeTTL = time.Minute

// writeOperations store under key and remove what they stored.
var writeOperations = []operation{
	{"set", func(ctx context.Context, c *cache.Cache, key string) error {
		return c.Set(ctx, key, []byte("1"), cache.Timeout(probeTTL))
	}},
	{"set_many", func(ctx context.Context, c *cache.Cache, key string) error {
		return c.SetMany(ctx, map[string][]byte{key + "2": []byte("1")}, cache.Timeout(probeTTL))
	}},
	{"add", func(ctx context.Context, c *cache.Cache, key string) error {
		_, err := c.Add(ctx, key+"3", []byte("1"), cache.Timeout(probeTTL))
		return err
	}},
	{"inc", func(ctx context.Context, c *cache.Cache, key string) error {
		_, err := c.Inc(ctx, key+"4", 1, cache.Timeout(probeTTL))
		return err
	}},
	{"cas", func(ctx context.Context, c *cache.Cache, key string) error {
		_, err := c.CompareAndSwap(ctx, key, []byte("1"), []byte("2"), cache.Timeout(probeTTL))
		return err
	}},
	{"lease", func(ctx context.Context, c *cache.Cache, key string) error {
		_, _, token, err := c.Lease(ctx, key+"5", time.Second)
		if err != nil || token == "" {
			return err
		}
		return c.Release(ctx, key+"5", token)
	}},
	{"delete", func(ctx context.Context, c *cache.Cache, key string) error { _, err := c.Delete(ctx, key); return err }},
	{"delete_many", func(ctx context.Context, c *cache.Cache, key string) error {
		_, err := c.DeleteMany(ctx, key+"2", key+"3", key+"4")
		return err
	}},
	{"clear", func(ctx context.Context, c *cache.Cache, _ string) error { return c.Clear(ctx) }}, // its own prefix
}

// permissions tries every operation, those that write only if the user asked for it, under
// a prefix that nobody else uses.
func (d *diagnosis) permissions(ctx context.Context) {
	prefix := "cachectl-doctor:" + rand.Text() + ":"
	c := cache.New(d.store.cache.Backend(), cache.WithPrefix(d.store.prefix+prefix)) // its Close would close the backend
	operations := readOperations
	if d.flags.write {
		operations = slices.Concat(writeOperations[:1], readOperations, writeOperations[1:])
	}
	var works, missing []string
	for _, op := range operations {
		err := op.do(ctx, c, "k")
		switch {
		case err == nil:
			works = append(works, op.name)
		case ctx.Err() != nil:
			return
		case errors.Is(err, errors.ErrUnsupported):
			missing = append(missing, op.name)
		default:
			d.add(outcomeProblem, "permissions", fmt.Sprintf("%s fails: %v", op.name, err), d.remedyFor(err))
		}
	}
	detail := "these operations succeed: " + strings.Join(works, ", ")
	if len(missing) > 0 {
		detail += "\nunsupported by this backend: " + strings.Join(missing, ", ")
	}
	d.add(outcomeOK, "permissions", detail, "")
	if !d.flags.write {
		d.add(outcomeSkipped, "writes", "not checked, because that stores entries", "cachectl doctor --write")
	}
}

// remedyFor returns what to do about an operation that fails.
func (d *diagnosis) remedyFor(err error) string {
	switch {
	case errors.Is(err, cache.ErrFull):
		return "the store is full: raise its limit, or let it evict"
	case errors.Is(err, cache.ErrUnavailable):
		return "the server does not accept it now: see its log"
	}
	return fmt.Sprintf("give the user of CACHE_* the permissions in the README of %s", d.backend())
}
