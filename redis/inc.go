package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	goredis "github.com/redis/go-redis/v9"
)

// Inc adds delta in one atomic step. Without a timeout it sends INCRBY. With a timeout it
// sends a script, which is a single command: if the server refuses it, nothing has
// changed. If the server refuses scripts, Inc sends a transaction, and if it refuses
// transactions too, single commands. The Backend remembers what was refused.
//
// If another type is stored under key, Inc removes it first.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	if err := b.check(key); err != nil {
		return 0, err
	}
	sum, err := b.inc(ctx, key, delta, ttl)
	if goredis.HasErrorPrefix(err, "WRONGTYPE") {
		if err := b.removeOtherType(ctx, key); err != nil {
			return 0, err
		}
		sum, err = b.inc(ctx, key, delta, ttl)
	}
	if goredis.HasErrorPrefix(err, strings.TrimPrefix(overflow, "ERR ")) {
		return 0, fmt.Errorf("%w: sum overflows int64", driver.ErrNotInteger)
	}
	return sum, b.failure(ctx, err, true)
}

func (b *Backend) inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	switch {
	case b.publishes:
		return b.incByScript(ctx, key, delta, ttl)
	case ttl == 0:
		return b.count(ctx, goredis.NewIntCmd(ctx, "incrby", key, delta))
	}
	for {
		method := b.incMethod.Load()
		sum, err := incMethods[method](b, ctx, key, delta, ttl)
		if method == incCommands || !isCommandRefused(err) {
			return sum, err
		}
		next := method + 1
		if method == incFirstTransaction {
			next = incCommands
		}
		b.incMethod.CompareAndSwap(method, next)
	}
}

// Indexes of incMethods, in the order in which they are tried.
const (
	incScript int32 = iota
	incFirstTransaction
	incTransaction
	incCommands
)

// incMethods are the ways to send Inc. One that the server refuses changes nothing.
var incMethods = [...]func(*Backend, context.Context, string, int64, time.Duration) (int64, error){
	incScript:           (*Backend).incByScript,
	incFirstTransaction: (*Backend).incByFirstTransaction,
	incTransaction:      (*Backend).incByTransaction,
	incCommands:         (*Backend).incByCommands,
}

// incScriptText creates an absent key with its expiry, or adds to a present one. Lua's
// numbers are float64, so a sum that may be inexact is read back as text. If that fails,
// the reply is not a number and the outcome is unknown. With a TTL of 0 the key never expires.
const incScriptText = scriptErrors + `if ARGV[2] ~= '0' then
local made = redis.pcall('set', KEYS[1], ARGV[1], 'nx', 'px', ARGV[2])
if made and made.err then return failed(made) end
if made then if KEYS[2] then redis.pcall('unlink', KEYS[2]) end return ARGV[1] end
end
local sum = redis.pcall('incrby', KEYS[1], ARGV[1])
if type(sum) == 'table' then return failed(sum) end
if sum > -9007199254740992 and sum < 9007199254740992 then return sum end
local text = redis.pcall('get', KEYS[1])
return type(text) == 'string' and text or 'unreadable'`

func (b *Backend) incByScript(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	cmd := goredis.NewIntCmd(ctx, b.writeScript(incScriptText, keysOfWrite(key, ttl), delta, driver.RoundUp(ttl, time.Millisecond))...)
	cmd.SetFirstKeyPos(firstKey)
	return b.count(ctx, cmd)
}

// count runs a command whose reply is the sum.
func (b *Backend) count(ctx context.Context, cmd *goredis.IntCmd) (int64, error) {
	return result(cmd, b.send(ctx, b.once(cmd)))
}

// incByFirstTransaction first sends an empty transaction. If the server refuses MULTI, it
// executes the commands after MULTI one by one, and there must be none.
func (b *Backend) incByFirstTransaction(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	primary, err := b.primaryOf(ctx, key)
	if err != nil {
		return 0, notSentUnlessReply(err)
	}
	multi := goredis.NewCmd(ctx, "multi")
	_ = b.exec(ctx, primary, []goredis.Cmder{once(multi), once(goredis.NewCmd(ctx, "exec"))})
	if err := multi.Err(); err != nil {
		return 0, notSentUnlessReply(err) // an empty transaction changes nothing
	}
	b.incMethod.CompareAndSwap(incFirstTransaction, incTransaction)
	return b.incByTransaction(ctx, key, delta, ttl)
}

// incByTransaction sends a transaction as a plain pipeline, of which the driver reads
// every reply. The driver's TxPipeline stops at the first error and returns the
// connection to the pool with the other replies unread.
func (b *Backend) incByTransaction(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	primary, err := b.primaryOf(ctx, key)
	if err != nil {
		return 0, notSentUnlessReply(err)
	}
	multi, exec := goredis.NewCmd(ctx, "multi"), goredis.NewCmd(ctx, "exec")
	begin := goredis.NewCmd(ctx, append(setArgs(key, []byte("0"), ttlArgs(ttl)), "nx")...)
	count := goredis.NewCmd(ctx, "incrby", key, delta)
	cmds := []goredis.Cmder{once(multi), once(begin), once(count), withEndOfLease(ctx, once(exec), key, ttl)}
	_ = b.exec(ctx, primary, cmds)
	if sum, ok := count.Val().(int64); ok { // MULTI was refused this time, and the commands were executed one by one
		b.incMethod.CompareAndSwap(incTransaction, incCommands)
		return sum, nil
	}
	for _, cmd := range cmds { // an earlier error is the cause of the one of EXEC
		if err := outcome(cmd, cmd.Err()); err != nil {
			return 0, err
		}
	}
	replies, _ := exec.Val().([]any)
	if len(replies) != 2 {
		return 0, errMalformed
	}
	switch sum := replies[1].(type) {
	case int64:
		return sum, nil
	case error:
		return 0, sum
	}
	return 0, errMalformed
}

// incByCommands sends commands that every user of a cache may send. Each is atomic, so no
// count is lost or made twice. A counter that expires between SET and INCRBY starts anew
// with INCRBY. Then the sum equals delta, and the new counter gets its expiry.
//
// Only a transaction could exclude two cases. If another client deletes a counter without
// an expiry between PTTL and INCRBY, the new counter has none either. If a counter expires,
// and another client stores a value without an expiry before PEXPIRE, it may get one.
func (b *Backend) incByCommands(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	begin := goredis.NewBoolCmd(ctx, append(setArgs(key, delta, ttlArgs(ttl)), "nx")...)
	expiry := goredis.NewIntCmd(ctx, "pttl", key)
	create := b.once(begin)
	_ = b.exec(ctx, b.client, []goredis.Cmder{withEndOfLease(ctx, create, key, ttl), b.once(expiry)})
	if err := begin.Err(); err != nil {
		return 0, outcome(create, err)
	}
	if begin.Val() {
		return delta, nil
	}
	count := goredis.NewIntCmd(ctx, "incrby", key, delta)
	add := b.once(count)
	_ = b.exec(ctx, b.client, []goredis.Cmder{add})
	if err := count.Err(); err != nil {
		return 0, outcome(add, err)
	}
	hadExpiry := expiry.Err() == nil && expiry.Val() != neverExpires
	if made := count.Val() == delta; made && hadExpiry {
		b.expire(ctx, key, driver.RoundUp(ttl, time.Millisecond))
	}
	return count.Val(), nil
}

// expire sets the expiry of a counter that has none. Inc has succeeded, so an error is not
// reported.
func (b *Backend) expire(ctx context.Context, key string, ms int64) {
	expire := goredis.NewIntCmd(ctx, "pexpire", key, ms, "nx")
	_ = b.exec(ctx, b.client, []goredis.Cmder{b.once(expire)})
	if !isReply(expire.Err()) {
		return
	}
	left := goredis.NewIntCmd(ctx, "pttl", key) // servers before version 7 do not support NX
	_ = b.exec(ctx, b.client, []goredis.Cmder{b.once(left)})
	if left.Err() == nil && left.Val() == neverExpires {
		_ = b.exec(ctx, b.client, []goredis.Cmder{b.once(goredis.NewIntCmd(ctx, "pexpire", key, ms))})
	}
}

// isCommandRefused reports whether the server does not support the command at all, or the
// user has no permission for it.
func isCommandRefused(err error) bool {
	var reply goredis.Error
	if !isReply(err) || remote.IsUnsent(err) || !errors.As(err, &reply) {
		return false
	}
	if goredis.HasErrorPrefix(err, "NOPERM") {
		return strings.Contains(reply.Error(), " to run ") // not a missing permission for the key
	}
	return replyKind(reply.Error()) == nil
}
