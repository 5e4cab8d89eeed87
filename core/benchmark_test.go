package cache_test

import (
	"context"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

// constant answers every read at once, so that only the cost of Cache is measured.
type constant struct{ *rich }

var (
	someBytes     = []byte("v")
	someValue any = new(int)
)

func (constant) Get(context.Context, string) ([]byte, bool, error)   { return someBytes, true, nil }
func (constant) GetValue(context.Context, string) (any, bool, error) { return someValue, true, nil }

func BenchmarkOverheadOfAHit(b *testing.B) {
	ctx := b.Context()
	c := cache.New(constant{newRich()})
	text := cache.Of[string](c)
	kept := cache.Of[*int](c, cache.WithoutEncoding())
	buffer := make([]byte, 0, 16)
	for name, get := range map[string]func(){
		"Get":             func() { c.Get(ctx, "k") },
		"GetAppend":       func() { c.GetAppend(ctx, "k", buffer) },
		"String":          func() { text.Get(ctx, "k") },
		"WithoutEncoding": func() { kept.Get(ctx, "k") },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				get()
			}
		})
	}
}
