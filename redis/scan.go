package redis

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

// Scan lists the entries of one primary after another. It walks all keys of the database by
// SCAN, a thousand per round trip, so that the server executes other commands in between,
// and asks for TTLs and sizes of those with the prefix in a second round trip. Scan uses a
// connection of its own, because the loop's body may need all connections of the pool.
//
// SCAN may return a key several times while the server shrinks its table. Scan remembers 12
// bytes of each key that it has listed, which take 15 to 30 bytes of memory.
//
// Cursors are valid only on the server that made them, and a key that moves to another
// primary may be missed. So if the connection breaks, if the server is not a primary any
// more at the end, or if slots were moved meanwhile, the error wraps [driver.ErrUnavailable].
// Servers before version 6 and some proxies do not report that.
//
// If another client replaces an entry during the second round trip, its Size may be -1.
// Before Redis 7.2, STRLEN counts as a use of the entry. If such a server evicts by use,
// or the user has no permission for INFO to find out, every Entry.Size is -1. So it is with
// Options.Flask.
func (b *Backend) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		err := b.scanAll(ctx, prefix, func(e driver.Entry) bool { return yield(e, nil) })
		if err != nil && err != errStopped {
			yield(driver.Entry{}, b.failure(ctx, err, false))
		}
	}
}

// errStopped ends a scan whose caller wants no more entries.
var errStopped = errors.New("the loop has ended")

// scanAll calls yield for each entry until it returns false.
func (b *Backend) scanAll(ctx context.Context, prefix string, yield func(driver.Entry) bool) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	primaries, err := b.scanPrimaries(ctx, b.topology)
	if err != nil {
		return err
	}
	s := scanner{b: b, pattern: literal.Replace(prefix) + "*", yield: yield, listed: newKeySet()}
	for _, addr := range slices.Sorted(maps.Keys(primaries)) {
		if err := b.scanPrimary(ctx, primaries[addr], s.scan); err != nil {
			return err
		}
	}
	return nil
}

// scanner is one scan.
type scanner struct {
	b       *Backend
	pattern string
	yield   func(driver.Entry) bool
	listed  keySet
}

// scan lists the entries of one primary.
func (s *scanner) scan(ctx context.Context, client *goredis.Client) error {
	hasSizes := false
	if !s.b.flask { // there the first byte decides whether it is a part of the value
		var err error
		if hasSizes, err = sizesWithoutUse(ctx, client); err != nil {
			return err
		}
	}
	for cursor := "0"; ; {
		keys, next, err := scan(ctx, client, cursor, s.pattern)
		if err != nil {
			return err
		}
		if err := s.list(ctx, client, slices.DeleteFunc(keys, isLeaseName), hasSizes); err != nil {
			return err
		}
		if cursor = next; cursor == "0" {
			return nil
		}
	}
}

// list calls yield for those of keys that are entries.
func (s *scanner) list(ctx context.Context, client *goredis.Client, keys []string, hasSizes bool) error {
	entries := make([]entryCmds, len(keys))
	cmds := make([]goredis.Cmder, 0, 3*len(keys))
	for i, key := range keys {
		cmds = append(cmds, entries[i].init(ctx, key, hasSizes)...)
	}
	sent := time.Now()
	_ = s.b.exec(ctx, client, cmds) // each command has its own error
	took := time.Since(sent)
	for i, key := range keys {
		entry, isEntry, err := entries[i].entry(key, took)
		if err != nil {
			return err
		}
		if isEntry && s.listed.add(key) && !s.yield(entry) {
			return errStopped
		}
	}
	return nil
}

// sizesWithoutUse makes STRLEN on the connection of client not count as a use of the entry,
// and reports whether that is so.
func sizesWithoutUse(ctx context.Context, client *goredis.Client) (bool, error) {
	noTouch := goredis.NewStatusCmd(ctx, "client", "no-touch", "on")
	if err := client.Process(ctx, noTouch); err == nil || !isRefused(err) {
		return err == nil, err
	}
	info := goredis.NewStringCmd(ctx, "info", "memory")
	if err := client.Process(ctx, info); err != nil {
		if isRefused(err) {
			err = nil
		}
		return false, err
	}
	return !evictsByUse(infoFields(info.Val())), nil
}

// evictsByUse reports whether a server with these fields of INFO evicts what is used least.
func evictsByUse(info map[string]string) bool {
	policy := info["maxmemory_policy"]
	byUse := policy == "" || strings.HasSuffix(policy, "-lru") || strings.HasSuffix(policy, "-lfu")
	return byUse && info["maxmemory"] != "0"
}

var _ driver.Scanner = (*Backend)(nil)
