package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

var (
	errNoList = fmt.Errorf("%w: the server does not list its keys", errors.ErrUnsupported)
	errBusy   = errors.New("the server is busy listing its keys")
)

// busyPause is how long to wait for a server that lists its keys for another client.
const busyPause = 10 * time.Millisecond

// keyList has keys one after another, each after a byte with its size. A server may have
// millions of them, and each string would take 16 bytes more and an allocation.
type keyList []byte

// take removes up to n keys from the list and returns them as items.
func (l *keyList) take(n int) []Item {
	items := make([]Item, 0, n)
	for len(items) < n && len(*l) > 0 {
		size := 1 + int((*l)[0])
		items = append(items, Item{Key: string((*l)[1:size])})
		*l = (*l)[size:]
	}
	return items
}

// list returns the keys with the prefix, up to limit bytes of them, and whether these are
// all. While the server lists its keys for another client, it tries again for at most
// Config.ReadTimeout.
//
// The server holds the lock of some entries while it waits for the reader, so the list is
// read without a pause. A caller that used an entry meanwhile could wait for itself.
func (n *node) list(ctx context.Context, prefix string, limit int) (keys keyList, complete bool, err error) {
	end := time.Now().Add(n.config.ReadTimeout)
	for {
		keys, complete, err = n.listOnce(ctx, prefix, limit)
		if err != errBusy || time.Now().After(end) {
			return keys, complete, err
		}
		if err := remote.Sleep(ctx, busyPause); err != nil {
			return nil, false, remote.Unsent{Err: err}
		}
	}
}

// listOnce uses a connection beside the pool, whose end ends the list. The list is that of
// the hash table: the server moves entries between its LRU lists, and walking those misses
// some.
func (n *node) listOnce(ctx context.Context, prefix string, limit int) (keys keyList, complete bool, err error) {
	c, err := n.dial(ctx)
	if err != nil {
		return nil, false, remote.Unsent{Err: err}
	}
	defer c.socket.Close()
	c.socket.attach(ctx)
	c.socket.begin(n.config.WriteTimeout)
	c.w.string("lru_crawler metadump hash\r\n")
	if err := c.w.flush(); err != nil {
		return nil, false, err
	}
	for len(keys) < limit {
		c.r.nextReply()
		key, err := c.r.listedKey()
		switch {
		case err != nil:
			return nil, false, err
		case key == "":
			return keys, true, nil
		case strings.HasPrefix(key, prefix):
			keys = append(append(keys, byte(len(key))), key...)
		}
	}
	return keys, false, nil
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
	if err != nil || key == "" || len(key) > maxKey {
		return "", ErrMalformed
	}
	return key, nil
}

// maxKey is the largest size of a key, in bytes.
const maxKey = 250

// clearLimit bounds the memory for the keys that ClearPrefix removes at a time.
const clearLimit = 64 << 20

// Parts describes items that are parts of an entry under another key.
type Parts struct {
	Entry func(key string) (entry string, isPart bool) // by the form of the key
	Flags func(flags uint32) bool                      // reports whether a part may have them
}

// ClearPrefix removes every key with the prefix, on all servers at once, except parts of
// entries without the prefix. It requires the text protocol.
func (c *Client) ClearPrefix(ctx context.Context, prefix string, parts Parts) error {
	return c.eachNode(func(n *node) error { return Outcome(ctx, n.clearPrefix(ctx, prefix, parts), true) })
}

func (n *node) clearPrefix(ctx context.Context, prefix string, parts Parts) error {
	limit := clearLimit
	for {
		keys, complete, err := n.list(ctx, prefix, limit)
		if err != nil {
			return err
		}
		for len(keys) > 0 {
			items, kept, err := n.withoutParts(ctx, keys.take(chunkKeys), prefix, parts)
			if err != nil {
				return err
			}
			limit += kept // the next list has them again
			n.many(ctx, OpDelete, items)
			if err := FirstError(items); err != nil {
				return err
			}
		}
		if complete {
			return nil
		}
	}
}

// withoutParts returns items without the parts of entries that lack the prefix, and the
// size in a keyList of those parts.
func (n *node) withoutParts(ctx context.Context, items []Item, prefix string, parts Parts) (own []Item, kept int, err error) {
	var others []Item
	own = items[:0]
	for _, it := range items {
		if entry, isPart := parts.Entry(it.Key); isPart && !strings.HasPrefix(entry, prefix) {
			others = append(others, it)
		} else {
			own = append(own, it)
		}
	}
	n.many(ctx, OpDescribe, others)
	if err := FirstError(others); err != nil {
		return nil, 0, err
	}
	for _, it := range others {
		if it.OK && !parts.Flags(it.Flags) {
			own = append(own, Item{Key: it.Key})
		} else {
			kept += 1 + len(it.Key)
		}
	}
	return own, kept, nil
}

// Scan calls visit with the items whose keys have the prefix and are those of their server,
// up to a thousand at a time, until visit returns false. The items have the replies to
// OpDescribe. Scan requires the text protocol. It holds the keys of one server at a time.
func (c *Client) Scan(ctx context.Context, prefix string, visit func(items []Item) bool) error {
	addrs, err := c.servers()
	if err != nil {
		return err
	}
	for _, addr := range addrs {
		n := c.node(addr)
		if c.closed.Load() {
			return driver.ErrClosed
		}
		keys, _, err := n.list(ctx, prefix, math.MaxInt)
		if err != nil {
			return Outcome(ctx, err, false)
		}
		for len(keys) > 0 {
			items := slices.DeleteFunc(keys.take(chunkKeys), func(it Item) bool { return c.Place(it.Key) != addr.String() })
			n.many(ctx, OpDescribe, items)
			if err := FirstError(items); err != nil {
				return err
			}
			if !visit(items) {
				return nil
			}
		}
	}
	return nil
}
