package cache

import (
	"context"
	"fmt"
	"iter"
	"strings"
)

// Scan lists the entries under the prefix of this cache whose remaining key begins with
// prefix, "" for all, in no order and without their values: each entry that is present
// all the time once, one that changes meanwhile at most once. Keys are without the prefix
// of this cache. If the context ends or the store fails, the last pair is a zero Entry
// with the error, even under WithIgnoreErrors, because the list is incomplete; with a
// backend that cannot list entries it wraps errors.ErrUnsupported. A scan costs the store as much as it has entries, other
// programs' included: it is for tools, not for requests.
//
//	for entry, err := range c.Scan(ctx, "user:") {
//		if err != nil {
//			return err
//		}
//		fmt.Println(entry.Key, entry.TTL, entry.Size)
//	}
//
// The observer is called once, at the end; Event.Hits is the number of entries.
func (c *Cache) Scan(ctx context.Context, prefix string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		err := ctx.Err()
		if err != nil {
			yield(Entry{}, c.wrap(opScan, "", err))
			return
		}
		ctx, start := c.watch(ctx, opScan)
		found := 0
		for entry, scanErr := range c.ops.Scan(ctx, c.prefix+prefix) {
			if err = scanErr; err != nil {
				break
			}
			rest, ours := strings.CutPrefix(entry.Key, c.prefix)
			if !ours {
				err = fmt.Errorf("%w: the backend listed a key outside the prefix", ErrCorrupt)
				break
			}
			found++
			entry.Key = rest
			if !yield(entry, nil) {
				break
			}
		}
		c.observe(ctx, Event{Op: opScan, Hits: found, Err: err}, start)
		if err != nil {
			yield(Entry{}, c.wrap(opScan, "", err))
		}
	}
}
