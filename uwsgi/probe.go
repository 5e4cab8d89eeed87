package uwsgi

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// check tries the cache with the largest key and value that Options allow, and
// finds out why it refuses them.
func (b *Backend) check(ctx context.Context) error {
	short := probeKey()
	long := short + strings.Repeat("k", max(b.maxKey-len(short), 0))
	large := bytes.Repeat([]byte("v"), min(b.o.MaxValue, firstAlloc))
	err := b.probe(ctx, long, large)
	if !isRefusal(err) {
		return failure(ctx, err, false)
	}
	err = b.probe(ctx, short, []byte("v"))
	if err == errRefused {
		return b.checkExists(ctx)
	}
	if err != nil {
		return failure(ctx, err, false)
	}
	if isRefusal(b.probe(ctx, long, []byte("v"))) {
		return fmt.Errorf("MaxKey: cache %q takes no key of %d bytes: give its keysize (2048 if the server does not say), or BufferSize if smaller", b.o.Cache, len(long))
	}
	return fmt.Errorf("MaxValue: cache %q takes no value of %d bytes: give its blocksize (65536 if the server does not say)", b.o.Cache, len(large))
}

const probeLife = 60 * time.Second

func probeKey() string { return "cachebackends-probe-" + rand.Text() }

// probe stores, reads and removes an entry.
func (b *Backend) probe(ctx context.Context, key string, value []byte) error {
	begin := time.Now()
	stored := request{command: "set", key: key, value: value, seconds: seconds(probeLife)}
	if _, err := b.exchange(ctx, stored); err != nil {
		return err
	}
	e, err := b.exchange(ctx, request{command: "get", key: key})
	if err != nil {
		return err
	}
	if _, err := b.exchange(ctx, request{command: "del", key: key}); err != nil {
		return err
	}
	if !bytes.Equal(e.value, value) {
		return errProtocol
	}
	// With purge_lru, the server keeps the seconds as they are and never looks at them.
	if e.end == stored.seconds {
		return fmt.Errorf("cache %q knows no expiry: it was made with purge_lru, without which this package can use it", b.o.Cache)
	}
	if !e.isAlive() || e.left() > probeLife+time.Since(begin)+time.Minute {
		return fmt.Errorf("the clock of the server and ours are more than a minute apart: they decide when entries expire")
	}
	return nil
}

// checkExists tells a full cache from one that is not there, which refuse all
// entries alike: for a value that we hold back the server only waits if there is a
// cache to put it in.
func (b *Backend) checkExists(ctx context.Context) error {
	conn, err := b.connect(ctx)
	if err != nil {
		return failure(ctx, notSent{err}, false)
	}
	defer b.hangUp(conn)
	held := request{command: "set", key: probeKey(), value: []byte("v")}
	data := held.appendTo(nil, b.o.Cache)
	conn.SetDeadline(time.Now().Add(waitForRefusal))
	if _, err = conn.Write(data[:len(data)-len(held.value)]); err == nil {
		_, err = conn.Read(data)
	}
	if isTimeout(err) {
		return nil
	}
	return fmt.Errorf("%w: there is no cache %q at %s", cache.ErrUnavailable, b.o.Cache, b.o.Addr)
}

// waitForRefusal is how long a server that has no such cache may take to say so.
const waitForRefusal = 300 * time.Millisecond
