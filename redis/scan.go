package redis

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

// Scan lists the entries of one primary after another. It walks all keys of the database by
// SCAN, a thousand per round trip, so that the server executes other commands in between,
// and asks for TTLs and sizes of those with the prefix in a second round trip. A third one
// tells empty values from entries that disappeared meanwhile. Scan uses a connection of its
// own, because the loop's body may need all connections of the pool.
//
// SCAN may return a key several times while the server shrinks its table. Scan remembers 12
// bytes of each key that it has listed, which take 15 to 30 bytes of memory.
//
// Cursors are valid only on the server that made them, and a key that moves to another
// primary may be missed. So if the connection breaks, if the server is not a primary any
// more at the end, or if slots were moved meanwhile, the error wraps [driver.ErrUnavailable].
// Servers before version 6 and some proxies do not report that.
//
// Before Redis 7.2, STRLEN counts as a use of the entry. If such a server evicts by use,
// or the user has no permission for INFO to find out, Entry.Size is -1. So it is with
// Options.Flask.
func (b *Backend) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		err := b.scanAll(ctx, prefix, func(e driver.Entry) bool { return yield(e, nil) })
		if err != nil {
			yield(driver.Entry{}, b.failure(ctx, err, false))
		}
	}
}

// scanAll calls yield for each entry until it returns false.
func (b *Backend) scanAll(ctx context.Context, prefix string, yield func(driver.Entry) bool) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.open, cancel)()
	primaries, err := b.scanPrimaries(ctx)
	if err != nil {
		return err
	}
	s := scanner{b: b, pattern: literal.Replace(prefix) + "*", yield: yield, listed: newKeySet()}
	for _, addr := range slices.Sorted(maps.Keys(primaries)) {
		if more, err := s.scan(ctx, primaries[addr]); err != nil || !more {
			return err
		}
	}
	return nil
}

// scanPrimary is a primary at the beginning of a scan.
type scanPrimary struct {
	options  goredis.Options
	topology string // see topology
}

// scanPrimaries returns all primaries by their addresses. It asks for the topology of all
// before the first is scanned: a key may move to one that has been scanned.
func (b *Backend) scanPrimaries(ctx context.Context) (map[string]scanPrimary, error) {
	var mu sync.Mutex
	primaries := make(map[string]scanPrimary)
	err := b.eachPrimary(ctx, func(ctx context.Context, primary *goredis.Client) error {
		topology, err := b.topology(ctx, primary)
		mu.Lock()
		defer mu.Unlock()
		primaries[primary.Options().Addr] = scanPrimary{*primary.Options(), topology}
		return err
	})
	return primaries, err
}

// scanner is one scan.
type scanner struct {
	b       *Backend
	pattern string
	yield   func(driver.Entry) bool
	listed  keySet
}

// scan lists the entries of one primary. It reports whether the caller wants more.
func (s *scanner) scan(ctx context.Context, primary scanPrimary) (more bool, err error) {
	client := goredis.NewClient(singleConnection(primary.options))
	client.AddHook(clientHook{})
	defer client.Close()
	hasSizes := false
	if !s.b.flask { // there the first byte decides whether it is a part of the value
		if hasSizes, err = sizesWithoutUse(ctx, client); err != nil {
			return false, err
		}
	}
	for cursor := "0"; ; {
		keys, next, err := scan(ctx, client, cursor, s.pattern)
		if err != nil {
			return false, err
		}
		if more, err := s.list(ctx, client, slices.DeleteFunc(keys, isLeaseName), hasSizes); err != nil || !more {
			return false, err
		}
		if cursor = next; cursor == "0" {
			break
		}
	}
	topology, err := s.b.topology(ctx, client)
	if err == nil && topology != primary.topology {
		err = errMovedInScan
	}
	return true, err
}

// list calls yield for those of keys that are entries. PTTL comes first and says whether the
// key is present. STRLEN fails for other types, and TYPE, which takes its place if there are
// no sizes, returns them.
func (s *scanner) list(ctx context.Context, client *goredis.Client, keys []string, hasSizes bool) (more bool, err error) {
	cmds := make([]goredis.Cmder, 0, 2*len(keys))
	for _, key := range keys {
		second := goredis.Cmder(typeCmd(ctx, key))
		if hasSizes {
			second = goredis.NewIntCmd(ctx, "strlen", key)
		}
		cmds = append(cmds, goredis.NewIntCmd(ctx, "pttl", key), second)
	}
	_ = s.b.exec(ctx, client, cmds) // each command has its own error
	entries := make([]driver.Entry, 0, len(keys))
	for i, key := range keys {
		ttl, second := cmds[2*i].(*goredis.IntCmd), cmds[2*i+1]
		if err := ttl.Err(); err != nil {
			return false, err
		}
		entry := driver.Entry{Key: key, TTL: remainingTTL(ttl.Val()), Size: -1}
		isEntry := ttl.Val() != absent
		switch cmd := second.(type) {
		case *goredis.IntCmd:
			entry.Size = cmd.Val()
		case *goredis.StatusCmd:
			isEntry = isEntry && cmd.Val() == typeString
		}
		if err := second.Err(); goredis.HasErrorPrefix(err, "WRONGTYPE") {
			isEntry = false
		} else if err != nil {
			return false, err
		}
		if isEntry {
			entries = append(entries, entry)
		}
	}
	if entries, err = s.withoutGone(ctx, client, entries); err != nil {
		return false, err
	}
	for _, entry := range entries {
		if s.listed.add(entry.Key) && !s.yield(entry) {
			return false, nil
		}
	}
	return true, nil
}

// withoutGone removes the entries that expired, or were deleted, after PTTL: STRLEN of an
// absent key is 0, and GET tells it from an empty value.
func (s *scanner) withoutGone(ctx context.Context, client *goredis.Client, entries []driver.Entry) ([]driver.Entry, error) {
	asked := make(map[string]*goredis.StringCmd)
	var cmds []goredis.Cmder
	for _, entry := range entries {
		if entry.Size == 0 {
			asked[entry.Key] = getCmd(ctx, entry.Key)
			cmds = append(cmds, asked[entry.Key])
		}
	}
	_ = s.b.exec(ctx, client, cmds) // each command has its own error
	present := entries[:0]
	for _, entry := range entries {
		if get := asked[entry.Key]; get != nil {
			err := get.Err()
			switch {
			case isMiss(get, err) || goredis.HasErrorPrefix(err, "WRONGTYPE"):
				continue
			case isRefused(err): // the user may list and not read
				entry.Size = -1
			case err != nil:
				return nil, err
			default:
				entry.Size = int64(len(get.Val()))
			}
		}
		present = append(present, entry)
	}
	return present, nil
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

var errMovedInScan = fmt.Errorf("%w: slots or a primary moved during the scan", driver.ErrUnavailable)

var _ driver.Scanner = (*Backend)(nil)
