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

// ClearPrefix lists the names that begin with prefix and removes each object with a
// request of its own, [Options.Concurrency] at a time. Objects that the service holds
// are left, and reported when all others are removed.
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
		page, next, err := b.list(ctx, prefix, token, namesPerPage, "Name")
		if err != nil {
			return err
		}
		token = next
		remove := func(i int) error { return b.remove(ctx, b.bucket.Object(page[i].Name)) }
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

// list returns these attributes of a page of the objects whose names begin with prefix, and
// the token of the next page.
func (b *Backend) list(ctx context.Context, prefix, token string, size int, attributes ...string) (page []*storage.ObjectAttrs, next string, err error) {
	query := &storage.Query{Prefix: prefix, Projection: storage.ProjectionNoACL}
	_ = query.SetAttrSelection(attributes) // fails only for a name that the library does not have
	err = b.read(ctx, func(ctx context.Context) error {
		page = nil
		next, err = iterator.NewPager(b.bucket.Objects(ctx, query), size, token).NextPage(&page)
		if status(err) == http.StatusNotFound {
			return b.noBucket(err)
		}
		return err
	})
	if err == nil {
		b.bucketSeen.Store(true)
	}
	return page, next, err
}
