package memcached

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Clear empties every server, if Options.AllowFlush permits.
func (b *Backend) Clear(ctx context.Context) error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	if !b.options.AllowFlush {
		return errNoFlush
	}
	return b.store.each(ctx, vFlush)
}

var errNoFlush = fmt.Errorf("%w: a Clear without a prefix would empty whole servers, "+
	"of other programs too; AllowFlush (CACHE_ALLOW_FLUSH) permits it", errors.ErrUnsupported)

// ClearPrefix has every server list all its keys, and removes a thousand at a time
// of those that match: its time depends on the keys in the servers.
func (b *Backend) ClearPrefix(ctx context.Context, prefix string) error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	return b.store.clearPrefix(ctx, prefix)
}

var errNoList = fmt.Errorf("%w: memcached lists its keys, to clear those of one prefix, by the text protocol only", errors.ErrUnsupported)

func (w *wire) clearPrefix(ctx context.Context, prefix string) error {
	if w.options.Protocol == Binary {
		return errNoList
	}
	return w.eachNode(func(n *node) error { return failure(n.clearPrefix(ctx, prefix), true) })
}

// errBusy says that the server lists its keys for somebody else.
var errBusy = errors.New("the server is busy listing its keys")

// busyPause is how long to wait before asking again.
const busyPause = 10 * time.Millisecond

func (n *node) clearPrefix(ctx context.Context, prefix string) error {
	patience := time.Now().Add(n.wire.options.ReadTimeout)
	for {
		err := n.clearOnce(ctx, prefix)
		if err != errBusy || time.Now().After(patience) {
			return err
		}
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return unsent{ctx.Err()}
		}
	}
}

// clearOnce reads the list on a connection of its own, beside those of the pool, by
// which it removes. The list is that of the hash table: the server moves entries
// between its other lists, and a walk along those misses some.
func (n *node) clearOnce(ctx context.Context, prefix string) error {
	c, err := n.wire.dial(ctx, n.addr)
	if err != nil {
		return unsent{err}
	}
	defer c.socket.Close()
	c.socket.serve(ctx)
	c.socket.allow(n.wire.options.WriteTimeout)
	c.out.buf = append(c.out.buf, "lru_crawler metadump hash\r\n"...)
	if err := c.out.end(); err != nil {
		return err
	}
	return n.clearListed(ctx, &c.in, prefix)
}

func (n *node) clearListed(ctx context.Context, in *in, prefix string) error {
	var found []item
	for {
		in.next()
		key, err := in.listed()
		if err != nil {
			return err
		}
		if key != "" && strings.HasPrefix(key, prefix) {
			found = append(found, item{key: key})
		}
		if len(found) == chunkKeys || key == "" {
			n.many(ctx, vDelete, found)
			if err := failures(found); err != nil {
				return err
			}
			found = found[:0]
		}
		if key == "" {
			return nil
		}
	}
}

// listed returns the next key of the list, or an empty one at its end. Lines other
// than the last end without a carriage return, and escape the key.
func (in *in) listed() (string, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	line = bytes.TrimRight(line, "\r\n")
	escaped, isKey := bytes.CutPrefix(line, []byte("key="))
	escaped, _, _ = bytes.Cut(escaped, []byte(" "))
	switch {
	case string(line) == "END":
		return "", nil
	case bytes.HasPrefix(line, []byte("BUSY")):
		return "", errBusy
	case bytes.HasPrefix(line, []byte("ERROR")), bytes.HasPrefix(line, []byte("BADCLASS")), bytes.HasPrefix(line, []byte("CLIENT_ERROR lru crawler disabled")):
		return "", refused{fmt.Errorf("%w: the server does not list its keys", errors.ErrUnsupported)}
	case !isKey:
		return "", fatal(line)
	}
	key, err := url.PathUnescape(string(escaped))
	if err != nil || key == "" {
		return "", errNonsense
	}
	return key, nil
}
