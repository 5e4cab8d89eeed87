package cache

import (
	"context"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Result is what a batch found for one key.
type Result[T any] struct {
	Value T
	OK    bool // false for a miss, and Value is then the zero value
}

// GetMany returns one result per key, in the order of keys, which may repeat. If
// some keys failed, it returns the results of the others and an error wrapping a
// [*BatchError] that names the failed ones. If a key is invalid, nothing is read.
func (c *Cache) GetMany(ctx context.Context, keys ...string) ([]Result[[]byte], error) {
	return getMany(ctx, c, opGetMany, keys, Of[[]byte](c).decode)
}

// GetDict is GetMany as a map that holds only the hits.
func (c *Cache) GetDict(ctx context.Context, keys ...string) (map[string][]byte, error) {
	results, err := getMany(ctx, c, opGetDict, keys, Of[[]byte](c).decode)
	return dict(keys, results), err
}

func dict[T any](keys []string, results []Result[T]) map[string]T {
	hits := make(map[string]T, len(results))
	for i, r := range results {
		if r.OK {
			hits[keys[i]] = r.Value
		}
	}
	return hits
}

// getMany is the batch read of Cache and of every view, which differ in decode.
func getMany[T any](ctx context.Context, c *Cache, op string, keys []string, decode func([]byte) (T, error)) ([]Result[T], error) {
	results := make([]Result[T], len(keys))
	start, err := c.beginMany(ctx, keys)
	if err != nil {
		return results, c.wrap(op, "", err)
	}
	if len(keys) == 0 {
		return results, nil
	}
	values, err := c.ops.GetMany(ctx, c.fullKeys(keys))
	event := Event{Op: op}
	var undecodable BatchError
	for i, value := range values {
		if value == nil {
			continue
		}
		decoded, err := decode(value)
		if err != nil {
			undecodable.Fail(keys[i], err)
			continue
		}
		results[i] = Result[T]{decoded, true}
		event.Hits++
		event.Bytes += len(value)
	}
	event.Misses = len(keys) - event.Hits
	event.Err = driver.MergeBatch(undecodable.ErrorOrNil(), c.withoutPrefix(markDamage(err)))
	return results, c.finish(ctx, start, "", event)
}

// SetMany stores all items with one timeout. If a key is invalid, nothing is stored.
// Other failures concern single items: an error wrapping a [*BatchError] names their
// keys, and the other items are stored.
func (c *Cache) SetMany(ctx context.Context, items map[string][]byte, options ...SetOption) error {
	return setMany(ctx, c, items, options, func(value []byte) ([]byte, error) { return c.copyIn(value), nil })
}

// setMany is the batch write of Cache and of every view, which differ in encode.
func setMany[T any](ctx context.Context, c *Cache, values map[string]T, options []SetOption, encode func(T) ([]byte, error)) error {
	keys, list := make([]string, 0, len(values)), make([]T, 0, len(values))
	for key, value := range values {
		keys, list = append(keys, key), append(list, value)
	}
	start, ttl, err := c.beginStoreMany(ctx, keys, options)
	if err != nil {
		return c.wrap(opSetMany, "", err)
	}
	if len(keys) == 0 {
		return nil
	}
	event := Event{Op: opSetMany}
	var unencodable BatchError
	items := make([]driver.Item, 0, len(keys))
	for i, fullKey := range c.fullKeys(keys) {
		encoded, err := encode(list[i])
		if err != nil {
			unencodable.Fail(keys[i], err)
			continue
		}
		items = append(items, driver.Item{Key: fullKey, Value: encoded})
		event.Bytes += len(encoded)
	}
	if len(items) > 0 {
		event.Err = c.withoutPrefix(c.ops.SetMany(ctx, items, ttl))
	}
	event.Err = driver.MergeBatch(unencodable.ErrorOrNil(), event.Err)
	return c.finish(ctx, start, "", event)
}

// DeleteMany removes keys and returns those that were present, in the order of keys,
// each once. If a key is invalid, nothing is removed.
func (c *Cache) DeleteMany(ctx context.Context, keys ...string) (deleted []string, err error) {
	start, err := c.beginMany(ctx, keys)
	if err == nil {
		err = c.flights.endMany(ctx, keys)
	}
	if err != nil {
		return nil, c.wrap(opDeleteMany, "", err)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	keys = distinct(keys)
	removed, err := c.ops.DeleteMany(ctx, c.fullKeys(keys))
	for i, was := range removed {
		if was {
			deleted = append(deleted, keys[i])
		}
	}
	return deleted, c.finish(ctx, start, "", Event{Op: opDeleteMany, Err: c.withoutPrefix(err)})
}

func distinct(keys []string) []string {
	seen := make(map[string]struct{}, len(keys))
	unique := make([]string, 0, len(keys))
	for _, key := range keys {
		if _, again := seen[key]; !again {
			seen[key] = struct{}{}
			unique = append(unique, key)
		}
	}
	return unique
}
