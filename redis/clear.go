package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	goredis "github.com/redis/go-redis/v9"
)

// Clear empties the database, or the whole cluster, if Options.AllowFlush permits it.
// The server frees the memory in the background.
func (b *Backend) Clear(ctx context.Context) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	if !b.allowFlush {
		return errNoFlush
	}
	if err := b.checkTopology(ctx); err != nil {
		return err
	}
	var cleared atomic.Bool
	err := b.eachPrimary(ctx, func(ctx context.Context, primary *goredis.Client) error {
		flush := once(goredis.NewStatusCmd(ctx, b.flushArgs()...))
		err := outcome(flush, primary.Process(ctx, flush))
		if mayHaveRun(err) {
			cleared.Store(true)
		}
		return err
	})
	return b.clearFailure(ctx, err, cleared.Load())
}

// mayHaveRun reports whether the server may have executed a command whose error is err.
func mayHaveRun(err error) bool {
	if err == nil || !isReply(err) {
		return !remote.IsUnsent(err)
	}
	return replyKind(err.Error()) == driver.ErrUnknownOutcome // from a proxy
}

// clearFailure turns the error of one of several servers into one of package driver.
// cleared says whether a command was sent to any of them that removes entries.
func (b *Backend) clearFailure(ctx context.Context, err error, cleared bool) error {
	failure := b.failure(ctx, err, cleared)
	if cleared && remote.IsUnsent(failure) {
		return fmt.Errorf("%w: a part of the entries was removed: %w", driver.ErrUnknownOutcome, err)
	}
	return failure
}

var errNoFlush = fmt.Errorf("%w: Clear without a prefix would empty the whole database, "+
	"including the entries of other programs; AllowFlush (CACHE_ALLOW_FLUSH) permits it", errors.ErrUnsupported)

// ClearPrefix scans all keys of every primary, a thousand per round trip, so that the
// server executes other commands in between. It takes time in proportion to all keys of
// the database. It scans twice: the leases end before any entry is removed, so that no
// older value is stored behind the cursor of the second scan.
//
// If the connection breaks, or if a primary or slots move meanwhile, entries may be left. The
// error wraps [driver.ErrUnknownOutcome] if others were removed, else [driver.ErrUnavailable].
func (b *Backend) ClearPrefix(ctx context.Context, prefix string) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	entries := literal.Replace(prefix) + "*"
	var cleared atomic.Bool
	primaries, err := b.scanPrimaries(ctx, b.topologyIfPermitted)
	if err == nil {
		err = b.eachPrimary(ctx, func(ctx context.Context, primary *goredis.Client) error {
			start := scanStart{*primary.Options(), primaries[primary.Options().Addr].topology, b.topologyIfPermitted}
			return b.scanPrimary(ctx, start, func(ctx context.Context, client *goredis.Client) error {
				if err := b.clearPattern(ctx, client, entries+leaseMark+"??", &cleared); err != nil {
					return err
				}
				return b.clearPattern(ctx, client, entries, &cleared)
			})
		})
	}
	return b.clearFailure(ctx, err, cleared.Load())
}

func (b *Backend) clearPattern(ctx context.Context, primary *goredis.Client, pattern string, cleared *atomic.Bool) error {
	for cursor := "0"; ; {
		keys, next, err := scan(ctx, primary, cursor, pattern)
		if err != nil {
			return err
		}
		if err := b.unlink(ctx, keys, cleared); err != nil {
			return err
		}
		if cursor = next; cursor == "0" {
			return nil
		}
	}
}

// scan returns some of the keys and the cursor of the next ones, "0" at the end. It reads
// a reply of any shape: the driver's ScanCmd leaves a part of it unread if there is an
// error inside.
func scan(ctx context.Context, primary *goredis.Client, cursor, pattern string) (keys []string, next string, err error) {
	cmd := goredis.NewCmd(ctx, "scan", cursor, "match", pattern, "count", chunkKeys)
	err = repeat(primary, func() error { return primary.Process(ctx, cmd) })
	if err != nil {
		return nil, "", err
	}
	reply, err := cmd.Slice()
	if err != nil {
		return nil, "", err
	}
	if len(reply) != 2 {
		return nil, "", errMalformed
	}
	next, ok := reply[0].(string)
	list, isList := reply[1].([]any)
	if !ok || !isList {
		return nil, "", errMalformed
	}
	for _, item := range list {
		key, ok := item.(string)
		if !ok {
			return nil, "", errMalformed
		}
		keys = append(keys, key)
	}
	return keys, next, nil
}

// unlink removes keys and reports in cleared whether it may have removed any. It has a
// command for each key, because one command must not span the slots of a cluster.
func (b *Backend) unlink(ctx context.Context, keys []string, cleared *atomic.Bool) error {
	cmds := make([]goredis.Cmder, len(keys))
	for i, key := range keys {
		args := []any{"unlink", key}
		if !isLeaseName(key) {
			lease := leaseName(key) // it may have been taken since the first scan
			args = b.writeArgs(append(args, lease), key, lease)
		}
		cmds[i] = b.once(goredis.NewIntCmd(ctx, args...))
	}
	_ = b.exec(ctx, b.client, cmds)
	b.repeatBroken(ctx, cmds)
	var failed error
	for _, cmd := range cmds {
		err := outcome(cmd, cmd.Err())
		if mayHaveRun(err) {
			cleared.Store(true)
		}
		if failed == nil {
			failed = err
		}
	}
	return failed
}

// literal escapes the special characters of a pattern.
var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
