package main

import (
	"context"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/simple"
)

func ours() []peer {
	return []peer{
		{"simple", "nothing: the bare backend, as cache.New gets it", byEntries, openSimple},
		{"simple-view", "nothing: cache.Of[[]byte](c, cache.WithoutEncoding())", byEntries, openSimpleView},
		{"simple-copy", "shared values: Cache.Get copies", byEntries, openSimpleCopy},
	}
}

func ourCopiers() []peer {
	return []peer{
		{"simple-copy", "shared values: Cache.Get copies", byEntries, openSimpleCopy},
		{"simple-buffer", "shared values: Cache.GetAppend copies into the caller's buffer", byEntries, openSimpleBuffer},
	}
}

func openSimple(capacity, _ int) (store, error) {
	ctx := context.Background()
	b, err := simple.New(ctx, simple.Options{Threshold: capacity})
	if err != nil {
		return store{}, err
	}
	return store{
		get: func(key string) ([]byte, bool) {
			value, ok, _ := b.Get(ctx, key)
			return value, ok
		},
		set:   func(key string, value []byte) { b.Set(ctx, key, value, life) },
		close: func() { b.Close() },
	}, nil
}

func openSimpleView(capacity, _ int) (store, error) {
	c, err := newSimpleCache(capacity)
	if err != nil {
		return store{}, err
	}
	ctx := context.Background()
	view := cache.Of[[]byte](c, cache.WithoutEncoding())
	return store{
		get: func(key string) ([]byte, bool) {
			value, ok, _ := view.Get(ctx, key)
			return value, ok
		},
		set:   func(key string, value []byte) { view.Set(ctx, key, value) },
		close: func() { c.Close() },
	}, nil
}

func openSimpleCopy(capacity, _ int) (store, error) {
	c, err := newSimpleCache(capacity)
	if err != nil {
		return store{}, err
	}
	ctx := context.Background()
	return store{
		get: func(key string) ([]byte, bool) {
			value, ok, _ := c.Get(ctx, key)
			return value, ok
		},
		set:   func(key string, value []byte) { c.Set(ctx, key, value) },
		close: func() { c.Close() },
	}, nil
}

func openSimpleBuffer(capacity, valueSize int) (store, error) {
	c, err := newSimpleCache(capacity)
	if err != nil {
		return store{}, err
	}
	ctx := context.Background()
	return store{
		reader: func() func(string) ([]byte, bool) {
			buffer := make([]byte, 0, valueSize)
			return func(key string) ([]byte, bool) {
				value, ok, _ := c.GetAppend(ctx, key, buffer)
				return value, ok
			}
		},
		set:   func(key string, value []byte) { c.Set(ctx, key, value) },
		close: func() { c.Close() },
	}, nil
}

func newSimpleCache(capacity int) (*cache.Cache, error) {
	b, err := simple.New(context.Background(), simple.Options{Threshold: capacity})
	if err != nil {
		return nil, err
	}
	return cache.New(b, cache.WithDefaultTimeout(life)), nil
}
