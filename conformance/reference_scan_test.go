package conformance_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// pageSize is the number of entries in one step of a scan.
const pageSize = 100

// page returns the next entries with prefix after the key after, in the order of the
// keys. It does not need the lock.
func (r *reference) page(prefix, after string) (list []driver.Entry) {
	for _, key := range r.names() {
		if key <= after && after != "" || !strings.HasPrefix(key, prefix) {
			continue
		}
		if entry, ok := r.describe(key); ok {
			list = append(list, entry)
		}
		if len(list) == pageSize {
			break
		}
	}
	return list
}

func (r *reference) describe(key string) (driver.Entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.live(key)
	entry := driver.Entry{Key: key, Size: int64(len(e.value))}
	if !e.expires.IsZero() {
		entry.TTL = time.Until(e.expires)
		ok = ok && entry.TTL > 0
	}
	return entry, ok
}

func (r *reference) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return inPages(func(after string) ([]driver.Entry, error) {
		err := r.enter()
		r.mu.Unlock()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		return r.page(prefix, after), nil
	})
}

// inPages is a scan whose steps next returns: the entries after a key.
func inPages(next func(after string) ([]driver.Entry, error)) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		for after := ""; ; {
			page, err := next(after)
			if err != nil {
				yield(driver.Entry{}, err)
				return
			}
			for _, entry := range page {
				if !yield(entry, nil) {
					return
				}
				after = entry.Key
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

func (b *client) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return inPages(func(after string) ([]driver.Entry, error) {
		a, err := b.result(ctx, request{Op: "scan", Key: prefix, Token: after}, 0)
		if b.endsScan && after != "" && ctx.Err() == nil {
			err = nil
		}
		return a.List, err
	})
}

func (m *mutant) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	if m.scan != nil {
		return m.scan(ctx, m.reference, m.k(prefix))
	}
	return m.reference.Scan(ctx, m.k(prefix))
}

// changed returns a scan of r whose entries change replaces; it calls yield for each pair
// that it lists.
func scanning(change func(r *reference, entry driver.Entry, yield func(driver.Entry, error) bool) bool) mutant {
	return mutant{scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
		return func(yield func(driver.Entry, error) bool) {
			for entry, err := range r.Scan(ctx, prefix) {
				if err != nil {
					yield(entry, err)
					return
				}
				if !change(r, entry, yield) {
					return
				}
			}
		}
	}}
}

// also returns a scan of r and the further keys that more returns.
func alsoListing(more func(r *reference) []string) mutant {
	return mutant{scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
		return func(yield func(driver.Entry, error) bool) {
			for entry, err := range r.Scan(ctx, prefix) {
				if !yield(entry, err) || err != nil {
					return
				}
			}
			for _, key := range more(r) {
				if strings.HasPrefix(key, prefix) && !yield(driver.Entry{Key: key, TTL: time.Second}, nil) {
					return
				}
			}
		}
	}}
}

// snapshot is a scan of the entries of r as they are at its beginning.
func snapshot(ctx context.Context, r *reference, prefix string) ([]driver.Entry, error) {
	var list []driver.Entry
	for entry, err := range r.Scan(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		list = append(list, entry)
	}
	return list, nil
}

func listing(list []driver.Entry) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		for _, entry := range list {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// withPrefix returns a scan of all entries, of which it lists those that match.
func matching(match func(key, prefix string) bool) mutant {
	return mutant{scan: func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error] {
		list, err := snapshot(ctx, r, "")
		if err != nil {
			return driver.FailedScan(err)
		}
		return listing(slices.DeleteFunc(list, func(entry driver.Entry) bool { return !match(entry.Key, prefix) }))
	}}
}

var _ driver.Scanner = (*reference)(nil)
