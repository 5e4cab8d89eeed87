package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver/remote"
)

var (
	errNoList = fmt.Errorf("%w: the server does not list its keys", errors.ErrUnsupported)
	errBusy   = errors.New("the server is busy listing its keys")
)

// busyPause is how long to wait for a server that lists its keys for another client.
const busyPause = 10 * time.Millisecond

// ClearPrefix removes every key with the prefix, on all servers at once. It requires the
// text protocol.
func (c *Client) ClearPrefix(ctx context.Context, prefix string) error {
	return c.eachNode(func(n *node) error { return Outcome(ctx, n.clearPrefix(ctx, prefix), true) })
}

// clearPrefix tries for at most Config.ReadTimeout while the server is busy.
func (n *node) clearPrefix(ctx context.Context, prefix string) error {
	limit := time.Now().Add(n.config.ReadTimeout)
	for {
		err := n.clearOnce(ctx, prefix)
		if err != errBusy || time.Now().After(limit) {
			return err
		}
		if err := remote.Sleep(ctx, busyPause); err != nil {
			return remote.Unsent{Err: err}
		}
	}
}

// clearOnce reads the list on a connection beside the pool, and removes the keys with
// connections of the pool. The list is that of the hash table: the server moves entries
// between its LRU lists, and walking those misses some.
func (n *node) clearOnce(ctx context.Context, prefix string) error {
	c, err := n.dial(ctx)
	if err != nil {
		return remote.Unsent{Err: err}
	}
	defer c.socket.Close()
	c.socket.attach(ctx)
	c.socket.begin(n.config.WriteTimeout)
	c.w.string("lru_crawler metadump hash\r\n")
	if err := c.w.flush(); err != nil {
		return err
	}
	var found []Item
	for {
		c.r.nextReply()
		key, err := c.r.listedKey()
		if err != nil {
			return err
		}
		if key != "" && strings.HasPrefix(key, prefix) {
			found = append(found, Item{Key: key})
		}
		if len(found) == chunkKeys || key == "" {
			n.many(ctx, OpDelete, found)
			if err := FirstError(found); err != nil {
				return err
			}
			found = found[:0]
		}
		if key == "" {
			return nil
		}
	}
}

// listedKey returns the next key of the list, or "" at its end. Lines other than the last
// end without a carriage return and escape the key.
func (r *reader) listedKey() (string, error) {
	line, err := r.ReadSlice('\n')
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
		return "", errNoList
	case !isKey:
		return "", fatal(string(line))
	}
	key, err := url.PathUnescape(string(escaped))
	if err != nil || key == "" {
		return "", ErrMalformed
	}
	return key, nil
}
