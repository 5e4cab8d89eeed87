package gcs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"unicode/utf8"

	"cloud.google.com/go/storage"
	cache "github.com/cachebackends/cachebackends/core"
	"google.golang.org/api/iterator"
)

// list returns a page of the names that begin with prefix, and the token of the next.
func (b *Backend) list(ctx context.Context, prefix, token string, size int) (names []string, next string, err error) {
	query := &storage.Query{Prefix: prefix, Projection: storage.ProjectionNoACL}
	_ = query.SetAttrSelection([]string{"Name"}) // a name of the library, which is never wrong
	err = b.do(ctx, read, func(ctx context.Context) error {
		var page []*storage.ObjectAttrs
		next, err = iterator.NewPager(b.bucket.Objects(ctx, query), size, token).NextPage(&page)
		names = names[:0]
		for _, attrs := range page {
			names = append(names, attrs.Name)
		}
		if status(err) == http.StatusNotFound {
			return b.noBucket(err)
		}
		return err
	})
	if err == nil {
		b.found.Store(true)
	}
	return names, next, err
}

var errNoFlush = fmt.Errorf("%w: a Clear without a prefix would empty the whole bucket, "+
	"of other programs too; AllowFlush (CACHE_ALLOW_FLUSH) permits it", errors.ErrUnsupported)

// Clear removes all below Options.Prefix. Without one it empties the bucket, if
// Options.AllowFlush permits.
func (b *Backend) Clear(ctx context.Context) error {
	if b.prefix == "" && !b.allowFlush && !b.closed.Load() {
		return errNoFlush
	}
	return b.ClearPrefix(ctx, "")
}

// namesOfPage is how many names the service gives at a time, at most.
const namesOfPage = 1000

// ClearPrefix goes through the names that begin with prefix, and removes those of a
// page while it asks for the next.
func (b *Backend) ClearPrefix(ctx context.Context, prefix string) error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	prefix = b.prefix + prefix
	if !utf8.ValidString(prefix) {
		return fmt.Errorf("%w: the prefix is not valid UTF-8", cache.ErrInvalidKey)
	}
	size := mostParts
	if b.direct == nil {
		size = 1
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failed error
	var first sync.Once
	fail := func(err error) {
		first.Do(func() { failed = err })
		cancel()
	}
	slots := make(chan struct{}, b.concurrency)
	var removing sync.WaitGroup
	for token, more := "", true; more; more = token != "" {
		names, next, err := b.list(ctx, prefix, token, namesOfPage)
		if err != nil {
			fail(err)
			break
		}
		token = next
		for chunk := range slices.Chunk(names, size) {
			slots <- struct{}{}
			removing.Go(func() {
				defer func() { <-slots }()
				if err := b.remove(ctx, chunk); err != nil {
					fail(err)
				}
			})
		}
	}
	removing.Wait()
	return failed
}

// remove removes objects, whether they are there or not: in one request, and those
// that this leaves by themselves.
func (b *Backend) remove(ctx context.Context, names []string) error {
	if len(names) > 1 {
		parts := make([]part, len(names))
		for i, name := range names {
			parts[i] = b.part(http.MethodDelete, name, "")
		}
		replies, err := b.multi(ctx, write, parts)
		if err != nil && !errors.Is(err, errAbsent) {
			return err
		}
		var left []string
		for i, name := range names {
			if err != nil || replies[i].err() != nil && replies[i].status != http.StatusNotFound {
				left = append(left, name)
			}
		}
		names = left
	}
	for _, name := range names {
		err := b.do(ctx, write, func(ctx context.Context) error { return b.bucket.Object(name).Delete(ctx) })
		if err != nil && !errors.Is(err, errAbsent) {
			return err
		}
	}
	return nil
}
