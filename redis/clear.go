package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

// Clear empties the database, or all of a cluster, if Options.AllowFlush permits.
// The server frees the memory in the background.
func (b *Backend) Clear(ctx context.Context) error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	if !b.allowFlush {
		return errNoFlush
	}
	err := b.eachPrimary(ctx, func(ctx context.Context, primary *goredis.Client) error {
		return primary.FlushDBAsync(ctx).Err()
	})
	return b.failure(ctx, err, true)
}

var errNoFlush = fmt.Errorf("%w: a Clear without a prefix would empty the whole database, "+
	"of other programs too; AllowFlush (CACHE_ALLOW_FLUSH) permits it", errors.ErrUnsupported)

// ClearPrefix goes through all keys of every primary, a thousand at a time, so that
// the server answers others in between: its time depends on the keys in the database.
func (b *Backend) ClearPrefix(ctx context.Context, prefix string) error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	pattern := literal.Replace(prefix) + "*"
	err := b.eachPrimary(ctx, func(ctx context.Context, primary *goredis.Client) error {
		for cursor := uint64(0); ; {
			keys, next, err := primary.Scan(ctx, cursor, pattern, chunkKeys).Result()
			if err != nil {
				return err
			}
			if err := b.exec(ctx, b.client.Pipeline(), unlinks(ctx, keys)); err != nil {
				return err
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	})
	return b.failure(ctx, err, true)
}

// unlinks go one by one, for one command must not span the slots of a cluster.
func unlinks(ctx context.Context, keys []string) []goredis.Cmder {
	cmds := make([]goredis.Cmder, len(keys))
	for i, key := range keys {
		cmds[i] = goredis.NewIntCmd(ctx, "unlink", key)
	}
	return cmds
}

// literal escapes what has a meaning in a pattern of the server.
var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
