package cache

import (
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Result is the result of a batch read for one key.
type Result[T any] struct {
	Value T
	OK    bool // false for a miss, and Value is then the zero value
}

// GetMany returns one result per key, in the order of keys, which may repeat. If
// some keys failed, it returns the results of the others and an error wrapping a
// [*BatchError] that names the failed ones. If a key is invalid, nothing is read.
func (c *Cache) GetMany(ctx context.Context, keys ...string) ([]Result[[]byte], error) {
	return Of[[]byte](c).getMany(ctx, opGetMany, keys)
}

// GetDict is GetMany as a map that holds only the hits.
func (c *Cache) GetDict(ctx context.Context, keys ...string) (map[string][]byte, error) {
	return Of[[]byte](c).GetDict(ctx, keys...)
}

// SetMany stores all items with one timeout. If a key is invalid, nothing is stored.
// Other failures concern single items: an error wrapping a [*BatchError] names their
// keys, and the other items are stored.
func (c *Cache) SetMany(ctx context.Context, items map[string][]byte, options ...SetOption) error {
	return Of[[]byte](c).SetMany(ctx, items, options...)
}

// GetMany returns one result per key, in the order of keys. See [Cache.GetMany].
func (v View[T]) GetMany(ctx context.Context, keys ...string) ([]Result[T], error) {
	return v.getMany(ctx, opGetMany, keys)
}

// GetDict is GetMany as a map that holds only the hits.
func (v View[T]) GetDict(ctx context.Context, keys ...string) (map[string]T, error) {
	results, err := v.getMany(ctx, opGetDict, keys)
	hits := make(map[string]T, len(results))
	for i, r := range results {
		if r.OK {
			hits[keys[i]] = r.Value
		}
	}
	return hits, err
}

func (v View[T]) getMany(ctx context.Context, op string, keys []string) ([]Result[T], error) {
	c := v.cache
	results := make([]Result[T], len(keys))
	err := checkMany(ctx, keys)
	if err != nil || len(keys) == 0 {
		return results, c.wrap(op, "", err)
	}
	ctx, start := c.watch(ctx, op)
	event := Event{Op: op}
	encoded, failed := v.getKept(ctx, keys, results)
	if len(encoded) > 0 {
		event.Bytes, err = v.getEncoded(ctx, keys, encoded, results)
	}
	for _, r := range results {
		if r.OK {
			event.Hits++
		}
	}
	event.Misses = len(keys) - event.Hits
	event.Err = driver.MergeBatch(failed, err)
	return results, c.finish(ctx, start, "", event)
}

// getKept reads values that are kept without encoding; in memory a loop is as fast as
// a batch. It returns the indexes of the keys whose values are encoded.
func (v View[T]) getKept(ctx context.Context, keys []string, results []Result[T]) (encoded []int, err error) {
	if v.values == nil {
		return indexes(len(keys)), nil
	}
	errs := driver.EachKey(ctx, len(keys), func(i int) (err error) {
		kept, ok, err := v.values.GetValue(ctx, v.cache.full(keys[i]))
		if driver.IsUnsupported(err) {
			encoded = append(encoded, i)
			return nil
		}
		if err != nil || !ok {
			return err
		}
		if results[i].Value, ok = kept.(T); !ok {
			ok, err = isNilOf[T](kept)
		}
		results[i].OK = ok
		return err
	})
	return encoded, driver.BatchOf(keys, errs)
}

// getEncoded reads the keys at indexes, and returns the size of their values.
func (v View[T]) getEncoded(ctx context.Context, keys []string, indexes []int, results []Result[T]) (size int, err error) {
	c := v.cache
	full := c.fullKeys(keys, indexes)
	values, err := c.ops.GetMany(ctx, full)
	var undecodable BatchError
	for at, value := range values {
		if value == nil {
			continue
		}
		i := indexes[at]
		decoded, err := v.decode(value)
		if err != nil {
			undecodable.Fail(keys[i], err)
			continue
		}
		v.keep(full[at], value, decoded)
		results[i] = Result[T]{decoded, true}
		size += len(value)
	}
	return size, driver.MergeBatch(undecodable.ErrorOrNil(), c.withoutPrefix(markDamage(err)))
}

// SetMany stores all values with one timeout. See [Cache.SetMany]; a value that
// cannot be encoded fails alone.
func (v View[T]) SetMany(ctx context.Context, values map[string]T, options ...SetOption) error {
	c := v.cache
	keys, list := make([]string, 0, len(values)), make([]T, 0, len(values))
	for key, value := range values {
		keys, list = append(keys, key), append(list, value)
	}
	var ttl time.Duration
	err := checkMany(ctx, keys)
	if err == nil {
		ttl, err = c.lifetime(options)
	}
	if err == nil {
		err = c.flights.endMany(ctx, keys)
	}
	if err != nil || len(keys) == 0 {
		return c.wrap(opSetMany, "", err)
	}
	ctx, start := c.watch(ctx, opSetMany)
	event := Event{Op: opSetMany}
	encoded, failed := v.setKept(ctx, keys, list, ttl)
	if len(encoded) > 0 {
		event.Bytes, err = v.setEncoded(ctx, keys, list, encoded, ttl)
	}
	event.Err = driver.MergeBatch(failed, err)
	return c.finish(ctx, start, "", event)
}

// setKept stores values without encoding. It returns the indexes of those that have to
// be encoded.
func (v View[T]) setKept(ctx context.Context, keys []string, values []T, ttl time.Duration) (encoded []int, err error) {
	if v.values == nil {
		return indexes(len(keys)), nil
	}
	errs := driver.EachKey(ctx, len(keys), func(i int) error {
		err := v.values.SetValue(ctx, v.cache.full(keys[i]), values[i], ttl)
		if driver.IsUnsupported(err) {
			encoded = append(encoded, i)
			return nil
		}
		return err
	})
	return encoded, driver.BatchOf(keys, errs)
}

// setEncoded stores the values at indexes, and returns their size.
func (v View[T]) setEncoded(ctx context.Context, keys []string, values []T, indexes []int, ttl time.Duration) (size int, err error) {
	c := v.cache
	var unencodable BatchError
	items := make([]driver.Item, 0, len(indexes))
	for at, fullKey := range c.fullKeys(keys, indexes) {
		i := indexes[at]
		data, err := encode(c, values[i])
		if err != nil {
			unencodable.Fail(keys[i], err)
			continue
		}
		items = append(items, driver.Item{Key: fullKey, Value: data})
		size += len(data)
	}
	if len(items) > 0 {
		err = c.withoutPrefix(c.ops.SetMany(ctx, items, ttl))
	}
	return size, driver.MergeBatch(unencodable.ErrorOrNil(), err)
}

func indexes(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// DeleteMany removes keys and returns those that were present, in the order of keys,
// each once. If a key is invalid, nothing is removed.
func (c *Cache) DeleteMany(ctx context.Context, keys ...string) (deleted []string, err error) {
	err = checkMany(ctx, keys)
	if err == nil {
		err = c.flights.endMany(ctx, keys)
	}
	if err != nil || len(keys) == 0 {
		return nil, c.wrap(opDeleteMany, "", err)
	}
	ctx, start := c.watch(ctx, opDeleteMany)
	keys = distinct(keys)
	removed, err := c.ops.DeleteMany(ctx, c.fullKeys(keys, indexes(len(keys))))
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
