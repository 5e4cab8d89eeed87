package uwsgi

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// Ping stores, reads and removes an entry under a random key. If the cache is full,
// it only checks that the cache exists.
func (b *Backend) Ping(ctx context.Context) error {
	err := b.probe(ctx, probeKey(), []byte("1"))
	if err == errNoReply {
		return b.checkExists(ctx)
	}
	return remote.Outcome(ctx, err, false)
}

// probeLimits checks the cache with the largest key and value that Options allow. If
// the server refuses them, it returns the reason.
func (b *Backend) probeLimits(ctx context.Context) error {
	short := probeKey()
	long := short + strings.Repeat("k", max(b.maxKey-len(short), 0))
	large := bytes.Repeat([]byte("v"), min(b.options.MaxValue, maxPrealloc))
	err := b.probe(ctx, long, large)
	if !isRefusal(err) {
		return remote.Outcome(ctx, err, false)
	}
	err = b.probe(ctx, short, []byte("v"))
	if err == errNoReply {
		return b.checkExists(ctx)
	}
	if err != nil {
		return remote.Outcome(ctx, err, false)
	}
	if isRefusal(b.probe(ctx, long, []byte("v"))) {
		return fmt.Errorf("%w: CACHE_OPTIONS.max_key (Options.MaxKey): cache %q refuses a key of %d bytes: set it to the keysize of the cache "+
			"(2048 by default), or buffer_size (Options.BufferSize) to a smaller buffer-size of the server", driver.ErrInvalidSettings, b.options.Cache, len(long))
	}
	return fmt.Errorf("%w: CACHE_OPTIONS.max_value (Options.MaxValue): cache %q refuses a value of %d bytes: set it to the blocksize of the cache "+
		"(65536 by default)", driver.ErrInvalidSettings, b.options.Cache, len(large))
}

const probeTTL = 60 * time.Second

func probeKey() string { return "cachebackends-probe-" + rand.Text() }

// probe stores, reads and removes an entry.
func (b *Backend) probe(ctx context.Context, key string, value []byte) error {
	start := time.Now()
	stored := request{command: "set", key: key, value: value, seconds: seconds(probeTTL)}
	if _, err := b.roundTrip(ctx, stored); err != nil {
		return err
	}
	e, err := b.roundTrip(ctx, request{command: "get", key: key})
	if err != nil {
		return err
	}
	if _, err := b.roundTrip(ctx, request{command: "del", key: key}); err != nil {
		return err
	}
	if !bytes.Equal(e.value, value) {
		return errMalformed
	}
	// With purge_lru, the server stores the TTL instead of an expiry time and ignores it.
	if e.expires == stored.seconds {
		return fmt.Errorf("cache %q has expiry disabled (purge_lru): restart the server without purge_lru", b.options.Cache)
	}
	if ttl, ok := e.ttl(); !ok || ttl > probeTTL+time.Since(start)+time.Minute {
		return errors.New("the clocks of server and client differ by more than a minute; entries would expire at the wrong time")
	}
	return nil
}

// checkExists returns an error if the cache does not exist. A full cache and a
// missing one refuse every entry alike. But the server waits for a value that the
// client holds back only if it has a cache for it.
func (b *Backend) checkExists(ctx context.Context) error {
	conn, err := b.connect(ctx)
	if err != nil {
		return remote.Outcome(ctx, remote.Unsent{Err: err}, false)
	}
	defer b.disconnect(conn)
	held := request{command: "set", key: probeKey(), value: []byte("v")}
	data := held.appendTo(nil, b.options.Cache)
	conn.SetDeadline(earlier(ctx, refusalTimeout))
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(past) })()
	if _, err = conn.Write(data); err == nil {
		_, err = conn.Read(data)
	}
	if remote.IsTimeout(err) {
		if remote.Ended(ctx) == nil {
			return nil
		}
		return remote.Outcome(ctx, err, false) // the server may have had too little time
	}
	return fmt.Errorf("%w: no cache %q at %s: the server needs both the plugin cache (--plugins cache) and --cache2 name=%s,items=1000",
		driver.ErrUnavailable, b.options.Cache, b.options.Addr, cmp.Or(b.options.Cache, "mycache"))
}

// checkFull returns why the server accepts no new entry, nil if it accepts one.
func (b *Backend) checkFull(ctx context.Context) error {
	key := probeKey()
	_, err := b.roundTrip(ctx, request{command: "set", key: key, value: []byte("1"), seconds: seconds(probeTTL)})
	if err == errNoReply {
		return b.explainRefusal(ctx)
	}
	if err == nil {
		_, err = b.roundTrip(ctx, request{command: "del", key: key})
	}
	if err == errNoReply { // Clear has removed it
		return nil
	}
	return err
}

// explainRefusal returns why the server refuses a new entry: the cache is full, or the
// server has been started without it. Only a timeout shows that a cache exists, so it
// is looked for once in a while.
func (b *Backend) explainRefusal(ctx context.Context) error {
	now, last := time.Now().Unix(), b.lastCheck.Load()
	if now-last < checkInterval || !b.lastCheck.CompareAndSwap(last, now) {
		return errFull
	}
	if err := b.checkExists(ctx); err != nil {
		b.lastCheck.Store(0)
		return err
	}
	return errFull
}

const checkInterval = 60 // seconds

// refusalTimeout is how long a server may take to close the connection if it has no
// such cache.
const refusalTimeout = 300 * time.Millisecond
