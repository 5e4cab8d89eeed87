package redis

import (
	"context"
	"fmt"

	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

// If another program stores a list or another type under a key, the key is absent, because
// its value cannot be read. So Delete, TTL and Add also send TYPE in the same round trip.

const (
	typeString = "string"
	typeNone   = "none" // of an absent key
)

func typeCmd(ctx context.Context, key any) *goredis.StatusCmd {
	return goredis.NewStatusCmd(ctx, "type", key)
}

// isOtherType reports whether the reply to TYPE is a type other than string. If the user
// has no permission for TYPE, it reports false.
func isOtherType(kind *goredis.StatusCmd) bool {
	return kind.Err() == nil && kind.Val() != typeString && kind.Val() != typeNone
}

// removeOtherType removes key unless it is a string by then.
func (b *Backend) removeOtherType(ctx context.Context, key string) error {
	err := b.script(ctx, goredis.NewIntCmd(ctx, eval(removeOtherType, []string{key})...), b.sendAgain)
	if driver.IsUnsupported(err) {
		return fmt.Errorf("%w: another type is stored under the key; only scripts, which the server refuses, or Delete or Set remove it", driver.ErrCorrupt)
	}
	return err
}

const removeOtherType = `if redis.call('type', KEYS[1]).ok ~= 'string' then redis.call('unlink', KEYS[1]) end return 1`
