package redis

import (
	"context"
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

// A round trip of a batch takes at most so many keys, and no more once it has so
// many bytes of values: timeouts hold for the whole of it, and other clients of the
// server wait no longer than for a thousand small commands.
const (
	chunkKeys  = 1000
	chunkBytes = 8 << 20
)

// GetMany reads 1,000 keys in one round trip: an MGET, or on a cluster, where that
// cannot span slots, a pipeline of GETs to each node.
func (b *Backend) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	if b.cluster != nil {
		return values, b.getEach(ctx, keys, values)
	}
	for begin := 0; begin < len(keys); begin += chunkKeys {
		end := min(begin+chunkKeys, len(keys))
		if err := b.mget(ctx, keys[begin:end], values[begin:end]); err != nil {
			return values, allFailed(keys[begin:], err)
		}
	}
	return values, nil
}

func (b *Backend) mget(ctx context.Context, keys []string, values [][]byte) error {
	args := make([]any, 1, 1+len(keys))
	args[0] = "mget"
	for i := range keys {
		args = append(args, &keys[i]) // a pointer needs no memory to become an any
	}
	// A SliceCmd would take any reply with a number for the beginning of a list.
	cmd := goredis.NewCmd(ctx, args...)
	reply, err := result(cmd, b.read(ctx, cmd, false))
	if err != nil {
		return err
	}
	list, _ := reply.([]any)
	if len(list) != len(keys) {
		return b.failure(ctx, fmt.Errorf("%w: %d values for %d keys", errMalformed, len(list), len(keys)), false)
	}
	for i, value := range list {
		if text, ok := value.(string); ok {
			values[i] = bytesOf(text)
		}
	}
	return nil
}

func (b *Backend) getEach(ctx context.Context, keys []string, values [][]byte) error {
	cmds := make([]goredis.Cmder, len(keys))
	for i, key := range keys {
		cmds[i] = goredis.NewStringCmd(ctx, "get", key)
	}
	var failed cache.BatchError
	b.each(ctx, cmds, func(i int) cache.Item { return cache.Item{Key: keys[i]} }, &failed, false)
	for i, cmd := range cmds {
		if get := cmd.(*goredis.StringCmd); get.Err() == nil {
			values[i] = bytesOf(get.Val())
		}
	}
	return failed.ErrorOrNil()
}

// SetMany is a pipeline of SETs.
func (b *Backend) SetMany(ctx context.Context, items []cache.Item, ttl time.Duration) error {
	var failed cache.BatchError
	cmds := make([]goredis.Cmder, 0, len(items))
	stored := make([]cache.Item, 0, len(items))
	life, sent := lifeArgs(ttl), make([]once, len(items))
	for i, item := range items {
		if err := tooLarge(item.Value); err != nil {
			failed.Fail(item.Key, err)
			continue
		}
		sent[i] = once{setCmd(ctx, item.Key, item.Value, life)}
		cmds = append(cmds, &sent[i]) // in a slice, for each alone is memory of its own
		stored = append(stored, item)
	}
	b.each(ctx, cmds, func(i int) cache.Item { return stored[i] }, &failed, true)
	return failed.ErrorOrNil()
}

// DeleteMany is a pipeline of UNLINKs, whose answers tell which keys were there.
func (b *Backend) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	cmds := make([]goredis.Cmder, len(keys))
	counts := make([]*goredis.IntCmd, len(keys))
	sent := make([]once, len(keys))
	for i, key := range keys {
		counts[i] = goredis.NewIntCmd(ctx, "unlink", key)
		sent[i] = once{counts[i]}
		cmds[i] = &sent[i]
	}
	var failed cache.BatchError
	b.each(ctx, cmds, func(i int) cache.Item { return cache.Item{Key: keys[i]} }, &failed, true)
	deleted := make([]bool, len(keys))
	for i, count := range counts {
		deleted[i] = count.Err() == nil && count.Val() == 1
	}
	return deleted, failed.ErrorOrNil()
}

// each runs cmds[i] for item(i), many in a round trip, and looks at the reply to
// each.
func (b *Backend) each(ctx context.Context, cmds []goredis.Cmder, item func(i int) cache.Item, failed *cache.BatchError, write bool) {
	for begin, end := 0, 0; begin < len(cmds); begin = end {
		for size := 0; end < len(cmds) && end-begin < chunkKeys && size < chunkBytes; end++ {
			size += len(item(end).Value)
		}
		_ = b.exec(ctx, b.client.Pipeline(), cmds[begin:end]) // each has its own error
		for i := begin; i < end; i++ {
			if err := cmds[i].Err(); err != nil && err != goredis.Nil {
				failed.Fail(item(i).Key, b.failure(ctx, err, write))
			}
		}
	}
}

func allFailed(keys []string, err error) error {
	var failed cache.BatchError
	for _, key := range keys {
		failed.Fail(key, err)
	}
	return failed.ErrorOrNil()
}
