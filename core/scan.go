package cache

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Scan lists the entries under the prefix of the cache whose key begins with prefix, in
// no order and without their values. An empty prefix lists all of them. Keys are without
// the prefix of the cache.
//
// The list has each entry once that is present and unchanged during the whole scan, and
// an entry that changes meanwhile once or not at all. A list that ends without an error
// is complete. Otherwise its last pair is a zero [driver.Entry] with the error, even under
// [WithIgnoreErrors]. If the backend cannot list entries, the error wraps
// errors.ErrUnsupported. The body of the loop may call the cache.
//
//	for entry, err := range c.Scan(ctx, "user:") {
//		if err != nil {
//			return err
//		}
//		fmt.Println(entry.Key, entry.TTL, entry.Size)
//	}
//
// A scan costs the store as much as it has entries, also those of other programs: it is
// for tools, not for requests. The observer is called once, at the end; Event.Hits is the
// number of entries, and Event.Duration includes the body of the loop.
func (c *Cache) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		err := ctx.Err()
		if err != nil {
			yield(driver.Entry{}, c.wrap(opScan, "", err))
			return
		}
		ctx, start := c.watch(ctx, opScan)
		found := 0
		for entry, scanErr := range c.ops.Scan(ctx, c.prefix+prefix) {
			if err = scanErr; err != nil {
				break
			}
			rest, inside := strings.CutPrefix(entry.Key, c.prefix)
			if !inside || !strings.HasPrefix(rest, prefix) {
				err = fmt.Errorf("%w: the backend listed a key outside the prefix", ErrCorrupt)
				break
			}
			if rest == "" { // stored by another program: no operation of this cache accepts an empty key
				continue
			}
			found++
			entry.Key = rest
			if !yield(entry, nil) {
				break
			}
		}
		c.observe(ctx, Event{Op: opScan, Hits: found, Err: err}, start)
		if err != nil {
			yield(driver.Entry{}, c.wrap(opScan, "", err))
		}
	}
}
