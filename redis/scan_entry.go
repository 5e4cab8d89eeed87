package redis

import (
	"cmp"
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

// entryCmds ask for the TTL of one key and for its size, without its value: PTTL, STRLEN and
// PTTL, or without sizes TYPE and PTTL.
//
// The server may execute commands of others between two of them. The key is an entry if it
// is present at the last one. The size is that of the entry if the two PTTLs agree: STRLEN
// of an absent key is 0, as is that of an empty value. They also agree if others remove an
// entry without a TTL before STRLEN and store another one after STRLEN. Then the size is 0.
type entryCmds struct {
	before, size *goredis.IntCmd    // nil without sizes
	kind         *goredis.StatusCmd // nil with sizes
	after        *goredis.IntCmd
}

// init returns the commands in their order.
func (c *entryCmds) init(ctx context.Context, key string, hasSizes bool) []goredis.Cmder {
	c.after = goredis.NewIntCmd(ctx, "pttl", key)
	if !hasSizes {
		c.kind = typeCmd(ctx, key)
		return []goredis.Cmder{c.kind, c.after}
	}
	c.before, c.size = goredis.NewIntCmd(ctx, "pttl", key), goredis.NewIntCmd(ctx, "strlen", key)
	return []goredis.Cmder{c.before, c.size, c.after}
}

// entry returns the entry, after a round trip that took as long, and whether it is one.
func (c *entryCmds) entry(key string, took time.Duration) (_ driver.Entry, isEntry bool, err error) {
	size := int64(-1)
	if c.kind != nil {
		isEntry, err = c.kind.Val() == typeString, c.kind.Err()
	} else {
		isEntry, err = true, cmp.Or(c.before.Err(), c.size.Err())
	}
	switch err = cmp.Or(err, c.after.Err()); {
	case goredis.HasErrorPrefix(err, "WRONGTYPE"): // of STRLEN
		return driver.Entry{}, false, nil
	case err != nil:
		return driver.Entry{}, false, err
	}
	left := c.after.Val()
	if c.size != nil && sameEntry(c.before.Val(), left, took) {
		size = c.size.Val()
	}
	return driver.Entry{Key: key, TTL: remainingTTL(left), Size: size}, isEntry && left != absent, nil
}

// sameEntry reports whether two replies to PTTL are those of one entry, if the time between
// them is at most took.
func sameEntry(before, after int64, took time.Duration) bool {
	if before < 0 || after < 0 {
		return before == after
	}
	const rounding = 2 // milliseconds: both replies and took are rounded down
	return after <= before && before-after <= took.Milliseconds()+rounding
}
