package redis

import (
	"context"
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

// Inc is one transaction of two commands: the first makes an absent key with its
// expiry, the second counts and touches no expiry. Unlike a script it needs no
// rights beyond those of the commands, and nothing that a server could have lost.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	begin := goredis.NewBoolCmd(ctx, append(setArgs(key, []byte("0"), lifeArgs(ttl)), "nx")...)
	count := goredis.NewIntCmd(ctx, "incrby", key, delta)
	_ = b.exec(ctx, b.client.TxPipeline(), []goredis.Cmder{once{begin}, once{count}})
	err := count.Err()
	if goredis.HasErrorPrefix(err, "WRONGTYPE") {
		return 0, fmt.Errorf("%w: %w", cache.ErrNotInteger, err)
	}
	return count.Val(), b.failure(ctx, err, true)
}
