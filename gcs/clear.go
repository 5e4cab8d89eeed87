package gcs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	"google.golang.org/api/iterator"
)

var errNoFlush = fmt.Errorf("%w: Clear without a prefix empties the whole bucket, "+
	"including the objects of other programs; AllowFlush (CACHE_ALLOW_FLUSH) permits it", errors.ErrUnsupported)

// Clear removes all objects whose names begin with [Options.Prefix]. Without a prefix
// it empties the bucket if [Options.AllowFlush] is set, and else is refused with
// [errors.ErrUnsupported].
func (b *Backend) Clear(ctx context.Context) error {
	if b.options.Prefix == "" && !b.options.AllowFlush && !b.closed.Load() {
		return errNoFlush
	}
	return b.ClearPrefix(ctx, "")
}

// namesPerPage is the most that the service returns.
const namesPerPage = 1000

// ClearPrefix lists the objects whose names begin with prefix and removes each with a
// request of its own, [Options.Concurrency] at a time, on the condition that it is still
// the same. Objects that the service holds are left, and reported when all others are
// removed.
func (b *Backend) ClearPrefix(ctx context.Context, prefix string) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	prefix = b.options.Prefix + prefix
	if !utf8.ValidString(prefix) {
		return fmt.Errorf("%w: the prefix is not valid UTF-8", driver.ErrInvalidKey)
	}
	var left int    // objects that could not be removed
	var first error // of them
	for token, more := "", true; more; more = token != "" {
		page, next, err := b.list(ctx, prefix, token, namesPerPage)
		if err != nil {
			return err
		}
		token = next
		remove := func(i int) error {
			o := object{b, b.bucket.Object(page[i].Name)}
			return o.clear(ctx, entry{generation: page[i].Generation})
		}
		for i, err := range remote.Parallel(ctx, len(page), b.options.Concurrency, remove) {
			switch {
			case err == nil:
				continue
			case driver.EndsBatch(err):
				return err
			case left == 0:
				first = fmt.Errorf("%.100q: %w", page[i].Name, err)
			}
			left++
		}
	}
	if left > 0 {
		return fmt.Errorf("objects that could not be removed: %d, the first is %w", left, first)
	}
	return nil
}

// clear removes the object e of a list, and what has replaced it since: Inc and
// CompareAndSwap may have made the new value of that of e.
func (o object) clear(ctx context.Context, e entry) error {
	return o.b.race(ctx, func(ctx context.Context) (decided bool, err error) {
		removed, err := o.remove(ctx, e)
		if err != nil || removed {
			return true, err
		}
		e, err = o.attributes(ctx)
		return e.generation == 0, err
	})
}

// list returns a page of the objects whose names begin with prefix, with their names, their
// generations and these attributes, and the token of the next page.
func (b *Backend) list(ctx context.Context, prefix, token string, size int, attributes ...string) (page []*storage.ObjectAttrs, next string, err error) {
	query := &storage.Query{Prefix: prefix, Projection: storage.ProjectionNoACL}
	// It fails only for a name that the library does not have.
	_ = query.SetAttrSelection(append([]string{"Name", "Generation"}, attributes...))
	err = b.read(ctx, func(ctx context.Context) error {
		page = nil
		next, err = iterator.NewPager(b.bucket.Objects(ctx, query), size, token).NextPage(&page)
		switch {
		case err == nil:
			return checkGenerations(page)
		case status(err) == http.StatusNotFound:
			return b.noBucket(err)
		}
		return err
	})
	if err == nil {
		b.bucketSeen.Store(true)
	}
	return page, next, err
}

func checkGenerations(page []*storage.ObjectAttrs) error {
	for _, attrs := range page {
		if err := checkGeneration(attrs.Generation); err != nil {
			return err
		}
	}
	return nil
}
