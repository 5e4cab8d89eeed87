package redis

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

// A lease is a second key, which has the token as its value until the end of the hold. Fill
// stores an entry only if the key is absent, so an entry that was stored since Lease ends
// the lease by its presence. Deletes must also remove the second key. So must a write whose
// entry may expire before the lease: one with a TTL of up to driver.MaxHold.

// endsLease reports whether a write with this TTL must end the lease of its key.
func endsLease(ttl time.Duration) bool { return ttl > 0 && ttl <= driver.MaxHold }

func endLease(ctx context.Context, key string) goredis.Cmder {
	return goredis.NewCmd(ctx, "unlink", leaseName(key))
}

// withEndOfLease returns cmd, which stores an entry. If the entry may expire before the
// lease of its key, the lease ends in the same round trip: after cmd, so that no other
// caller gets a lease in between.
func withEndOfLease(ctx context.Context, cmd goredis.Cmder, key string, ttl time.Duration) goredis.Cmder {
	if !endsLease(ttl) {
		return cmd
	}
	return &plan{cmd, []goredis.Cmder{cmd, endLease(ctx, key)}}
}

// keysOfWrite returns the keys of a script that stores an entry. If endsLease, the script
// also ends the lease of key.
func keysOfWrite(key string, ttl time.Duration) []string {
	if !endsLease(ttl) {
		return []string{key}
	}
	return []string{key, leaseName(key)}
}

// Lease returns the value of key, or a token if the caller may load it. It is one script.
func (b *Backend) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	if err := b.check(key); err != nil {
		return nil, false, "", err
	}
	token = rand.Text()
	cmd := goredis.NewCmd(ctx, eval(leaseScript, []string{key, leaseName(key)}, token, driver.RoundUp(hold, time.Millisecond))...)
	reply, err := result(cmd, b.script(ctx, cmd, b.send))
	if err != nil {
		return nil, false, "", err
	}
	switch reply := reply.(type) {
	case string:
		return b.value(bytesOf(reply)), true, "", nil
	case int64:
		if reply == 0 {
			token = ""
		}
		return nil, false, token, nil
	}
	return nil, false, "", b.failure(ctx, errMalformed, true)
}

const leaseScript = scriptErrors + `if redis.call('type', KEYS[1]).ok == 'string' then return redis.call('get', KEYS[1]) end
local made = redis.pcall('set', KEYS[2], ARGV[1], 'nx', 'px', ARGV[2])
if made and made.err then return failed(made) end
return made and 1 or 0`

// Fill stores value if token is the lease of key and key is absent. It is one script.
func (b *Backend) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	if err := b.check(key, value); err != nil {
		return false, err
	}
	cmd := goredis.NewIntCmd(ctx, b.writeScript(fillScript, []string{key, leaseName(key)}, token, b.stored(value), driver.RoundUp(ttl, time.Millisecond))...)
	filled, err := result(cmd, b.script(ctx, cmd, b.send))
	return filled == 1, err
}

const fillScript = scriptSet + `if redis.call('get', KEYS[2]) ~= ARGV[1] then return 0 end
local stored = redis.call('type', KEYS[1]).ok ~= 'string' and set(ARGV[2], ARGV[3])
redis.call('unlink', KEYS[2])
if not stored then return 0 end
if stored.err then return failed(stored) end
return 1`

// Release ends the lease of key if token is that lease.
func (b *Backend) Release(ctx context.Context, key, token string) error {
	if err := b.check(key); err != nil {
		return err
	}
	return b.script(ctx, goredis.NewIntCmd(ctx, eval(releaseScript, []string{leaseName(key)}, token)...), b.sendAgain)
}

const releaseScript = `if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('unlink', KEYS[1]) end return 1`

// CompareAndSwap replaces the value of key if it equals old. It is one script, to which
// both values are sent.
func (b *Backend) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if err := b.check(key, old, value); err != nil {
		return false, err
	}
	cmd := goredis.NewIntCmd(ctx, b.writeScript(swapScript, keysOfWrite(key, ttl), b.stored(old), b.stored(value), driver.RoundUp(ttl, time.Millisecond), b.storedUnmarked(old))...)
	swapped, err := result(cmd, b.script(ctx, cmd, b.send))
	return swapped == 1, err
}

const swapScript = scriptSet + `if redis.call('type', KEYS[1]).ok ~= 'string' then return 0 end
local current = redis.call('get', KEYS[1])
if current ~= ARGV[1] and '=' .. current ~= ARGV[4] then return 0 end
local stored = set(ARGV[2], ARGV[3])
if stored.err then return failed(stored) end
if KEYS[2] then redis.call('unlink', KEYS[2]) end
return 1`
