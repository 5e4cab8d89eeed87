package redis

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
)

// scriptErrors defines a function for an error inside a script. Servers before version 7
// put the position in the script before some errors.
const scriptErrors = `local function failed(r) r.err = string.gsub(r.err, '^@user_script: %d+: %-?', '') return r end
`

// scriptSet defines a function that stores a value with a TTL in milliseconds, 0 for none.
const scriptSet = scriptErrors + `local function set(value, ttl)
if ttl == '0' then return redis.pcall('set', KEYS[1], value) end
return redis.pcall('set', KEYS[1], value, 'px', ttl) end
`

// eval returns the arguments of a command that executes a script.
func eval(text string, keys []string, args ...any) []any {
	all := make([]any, 0, firstKey+len(keys)+len(args))
	all = append(all, "eval", text, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return append(all, args...)
}

const firstKey = 3 // selects the node of a cluster

// script sends a script by send, and remembers if the server refuses scripts.
func (b *Backend) script(ctx context.Context, cmd interface {
	goredis.Cmder
	SetFirstKeyPos(int8)
}, send func(context.Context, goredis.Cmder) error) error {
	if b.incMethod.Load() != incScript {
		return errNoScripts
	}
	cmd.SetFirstKeyPos(firstKey)
	err := send(ctx, b.once(cmd))
	if isCommandRefused(err) {
		b.incMethod.CompareAndSwap(incScript, incFirstTransaction)
		return errNoScripts
	}
	return b.failure(ctx, err, true)
}

var errNoScripts = fmt.Errorf("%w: the server does not accept scripts (EVAL) of this user", errors.ErrUnsupported)
