package memory

import (
	"errors"
	"os"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/simple"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// user is a value that a program would keep.
type user struct {
	ID      int64    `json:"id"`
	Name    string   `json:"name"`
	Email   string   `json:"email"`
	Roles   []string `json:"roles"`
	Created int64    `json:"created"`
}

var someUser = user{42, "Ada Lovelace", "ada@example.org", []string{"admin", "author"}, 1_700_000_000}

type call func(key string) error

// viewPeers are the ways to simple. The first is what the others are compared with.
var viewPeers = []struct {
	name string
	open func(b *simple.Backend, c *cache.Cache) (get, set call)
}{
	{"bare", func(b *simple.Backend, _ *cache.Cache) (get, set call) {
		value := make([]byte, workload.ValueSize)
		return func(key string) error { _, ok, err := b.Get(ctx, key); return miss(ok, err) },
			func(key string) error { return b.Set(ctx, key, value, workload.Life) }
	}},
	{"bare-kept", func(b *simple.Backend, _ *cache.Cache) (get, set call) {
		kept := any(&someUser)
		return func(key string) error { _, ok, err := b.GetValue(ctx, key); return miss(ok, err) },
			func(key string) error { return b.SetValue(ctx, key, kept, workload.Life) }
	}},
	{"cache", func(_ *simple.Backend, c *cache.Cache) (get, set call) {
		value := make([]byte, workload.ValueSize)
		return func(key string) error { _, ok, err := c.Get(ctx, key); return miss(ok, err) },
			func(key string) error { return c.Set(ctx, key, value) }
	}},
	{"cache-append", func(_ *simple.Backend, c *cache.Cache) (get, set call) {
		value, buffer := make([]byte, workload.ValueSize), make([]byte, 0, workload.ValueSize)
		return func(key string) error { _, ok, err := c.GetAppend(ctx, key, buffer); return miss(ok, err) },
			func(key string) error { return c.Set(ctx, key, value) }
	}},
	{"view-bytes", throughView(make([]byte, workload.ValueSize))},
	{"view-bytes-kept", throughView(make([]byte, workload.ValueSize), cache.WithoutEncoding())},
	{"view-string", throughView(string(make([]byte, workload.ValueSize)))},
	{"view-user", throughView(someUser)},
	{"view-user-kept", throughView(&someUser, cache.WithoutEncoding())},
}

func throughView[T any](value T, options ...cache.ViewOption) func(*simple.Backend, *cache.Cache) (get, set call) {
	return func(_ *simple.Backend, c *cache.Cache) (get, set call) {
		v := cache.Of[T](c, options...)
		return func(key string) error { _, ok, err := v.Get(ctx, key); return miss(ok, err) },
			func(key string) error { return v.Set(ctx, key, value) }
	}
}

func miss(ok bool, err error) error {
	if err == nil && !ok {
		return os.ErrNotExist
	}
	return err
}

// Views are what the way from a typed value to the backend costs.
func Views(group string) []measure.Series {
	var all []measure.Series
	for _, op := range []string{"get", "set"} {
		s := measure.Series{Name: group + "/" + op, Procs: []int{1}}
		for _, p := range viewPeers {
			if p.name == "cache-append" && op == "set" {
				continue // as cache
			}
			s.Lanes = append(s.Lanes, measure.Lane{Peer: p.name, Ours: true, Open: func() (func(*testing.B), func(), error) {
				c, b, err := newCache(simple.Options{})
				if err != nil {
					return nil, nil, err
				}
				step, set := p.open(b, c)
				keys := workload.Keys(0, 256)
				for _, key := range keys {
					err = errors.Join(err, set(key), step(key))
				}
				if op == "set" {
					step = set
				}
				return func(b *testing.B) {
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						if err := step(keys[i%len(keys)]); err != nil {
							measure.Fail(b, err)
						}
					}
				}, func() { c.Close() }, err
			}})
		}
		all = append(all, s)
	}
	return all
}
