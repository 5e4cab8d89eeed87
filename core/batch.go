package cache

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Result is what a batch found for one key.
type Result[T any] struct {
	Value T
	OK    bool // false for a miss, and Value is then the zero value
}

// GetMany returns one result per key, in the order of keys, which may repeat.
// Where some keys failed it returns the others' results and an error wrapping a
// [*BatchError] that names those.
func (c *Cache) GetMany(ctx context.Context, keys ...string) ([]Result[[]byte], error) {
	return getMany(ctx, c, opGetMany, keys, Of[[]byte](c).decode)
}

// GetDict is GetMany as a map that holds the hits and nothing else.
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
	start, err := c.beginMany(ctx, keys)
	if err != nil {
		return nil, c.wrap(op, "", err)
	}
	results := make([]Result[T], len(keys))
	if len(keys) == 0 {
		return results, nil
	}
	values, err := c.fetchMany(ctx, c.fullKeys(keys))
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
	event.Err = joinBatch(c.withoutPrefix(err), undecodable)
	return results, c.finish(ctx, start, "", event)
}

func (c *Cache) fetchMany(ctx context.Context, fullKeys []string) ([][]byte, error) {
	if c.manyGetter != nil {
		values, err := c.manyGetter.GetMany(ctx, fullKeys)
		if !errors.Is(err, errors.ErrUnsupported) {
			return values, markDamage(err)
		}
	}
	values := make([][]byte, len(fullKeys))
	err := eachKey(ctx, fullKeys, func(i int) error {
		value, ok, err := c.fetch(ctx, fullKeys[i])
		if ok {
			values[i] = value
		}
		return err
	})
	return values, err
}

// SetMany stores all items with one timeout. An invalid key stores nothing at
// all; later failures are named by an error wrapping a [*BatchError], and the
// other items are stored.
func (c *Cache) SetMany(ctx context.Context, items map[string][]byte, options ...SetOption) error {
	return setMany(ctx, c, items, options, func(value []byte) ([]byte, error) { return c.own(value), nil })
}

// setMany is the batch write of Cache and of every view, which differ in encode.
func setMany[T any](ctx context.Context, c *Cache, values map[string]T, options []SetOption, encode func(T) ([]byte, error)) error {
	keys, list := make([]string, 0, len(values)), make([]T, 0, len(values))
	for key, value := range values {
		keys, list = append(keys, key), append(list, value)
	}
	start, err := c.beginMany(ctx, keys)
	if err != nil {
		return c.wrap(opSetMany, "", err)
	}
	ttl, err := c.lifetime(options)
	if err != nil {
		return c.wrap(opSetMany, "", err)
	}
	if len(keys) == 0 {
		return nil
	}
	event := Event{Op: opSetMany}
	var unencodable BatchError
	items := make([]Item, 0, len(keys))
	for i, fullKey := range c.fullKeys(keys) {
		encoded, err := encode(list[i])
		if err != nil {
			unencodable.Fail(keys[i], err)
			continue
		}
		items = append(items, Item{fullKey, encoded})
		event.Bytes += len(encoded)
	}
	if len(items) > 0 {
		event.Err = c.withoutPrefix(c.storeMany(ctx, items, ttl))
	}
	event.Err = joinBatch(event.Err, unencodable)
	return c.finish(ctx, start, "", event)
}

func (c *Cache) storeMany(ctx context.Context, items []Item, ttl time.Duration) error {
	if c.manySetter != nil {
		err := c.manySetter.SetMany(ctx, items, ttl)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	return eachKey(ctx, keys, func(i int) error { return c.backend.Set(ctx, keys[i], items[i].Value, ttl) })
}

// DeleteMany removes keys and returns those that were there, in the order of
// keys, each once.
func (c *Cache) DeleteMany(ctx context.Context, keys ...string) (deleted []string, err error) {
	start, err := c.beginMany(ctx, keys)
	if err != nil {
		return nil, c.wrap(opDeleteMany, "", err)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	keys = distinct(keys)
	gone, err := c.removeMany(ctx, c.fullKeys(keys))
	for i, was := range gone {
		if was {
			deleted = append(deleted, keys[i])
		}
	}
	return deleted, c.finish(ctx, start, "", Event{Op: opDeleteMany, Err: c.withoutPrefix(err)})
}

func (c *Cache) removeMany(ctx context.Context, fullKeys []string) ([]bool, error) {
	if c.manyDeleter != nil {
		gone, err := c.manyDeleter.DeleteMany(ctx, fullKeys)
		if !errors.Is(err, errors.ErrUnsupported) {
			return gone, err
		}
	}
	gone := make([]bool, len(fullKeys))
	err := eachKey(ctx, fullKeys, func(i int) (err error) {
		gone[i], err = c.backend.Delete(ctx, fullKeys[i])
		return err
	})
	return gone, err
}

// eachKey is the fallback of every batch: one call per key. What would fail for
// all the keys that follow, it does not try again.
func eachKey(ctx context.Context, keys []string, call func(i int) error) error {
	var failed BatchError
	var fatal error
	for i, key := range keys {
		err := fatal
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = call(i)
		}
		if err != nil {
			failed.Fail(key, err)
		}
		if errors.Is(err, ErrClosed) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrAuth) {
			fatal = err
		}
	}
	return failed.ErrorOrNil()
}

// fullKeys puts the prefix before each key, in one allocation for all the text.
func (c *Cache) fullKeys(keys []string) []string {
	if c.prefix == "" {
		return keys
	}
	size := len(keys) * len(c.prefix)
	for _, key := range keys {
		size += len(key)
	}
	var text strings.Builder
	text.Grow(size)
	full := make([]string, len(keys))
	for i, key := range keys {
		begin := text.Len()
		text.WriteString(c.prefix)
		text.WriteString(key)
		full[i] = text.String()[begin:]
	}
	return full
}

// withoutPrefix gives the keys of a backend's BatchError back as the caller knows them.
func (c *Cache) withoutPrefix(err error) error {
	var batch *BatchError
	if c.prefix == "" || !errors.As(err, &batch) {
		return err
	}
	var plain BatchError
	for _, f := range batch.Failed {
		plain.Fail(strings.TrimPrefix(f.Key, c.prefix), f.Err)
	}
	return &plain
}

// joinBatch adds the keys that failed on our side to what the backend reported.
func joinBatch(err error, ours BatchError) error {
	if len(ours.Failed) == 0 {
		return err
	}
	if theirs, ok := err.(*BatchError); ok {
		ours.Failed = append(ours.Failed, theirs.Failed...)
		return &ours
	}
	return errors.Join(err, &ours)
}

func distinct(keys []string) []string {
	seen := make(map[string]struct{}, len(keys))
	once := make([]string, 0, len(keys))
	for _, key := range keys {
		if _, again := seen[key]; !again {
			seen[key] = struct{}{}
			once = append(once, key)
		}
	}
	return once
}
