package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// record is an entry that is moved between stores or files.
type record struct {
	key     string
	value   []byte
	expires time.Time // zero if it never expires
	unknown bool      // expires is unknown: the default TTL of the store applies
}

// entryStore reads and writes records.
type entryStore struct {
	cache  *cache.Cache
	ops    *driver.Operations
	prefix string // of the cache
	name   string // as the user gave it, empty if there is only one store

	settings string // without secrets
}

func newEntryStore(c *cache.Cache, config cache.Config, name string) *entryStore {
	return &entryStore{cache: c, ops: driver.Resolve(c.Backend()), prefix: c.Prefix(), name: name, settings: fmt.Sprint(config)}
}

const (
	maxBatch   = 100     // entries
	batchBytes = 8 << 20 // of the values, if the store knows their sizes
)

// keys lists the keys that begin with prefix and that skip does not report, in batches of
// up to size.
func (s *entryStore) keys(ctx context.Context, prefix string, size int, skip func(key string) bool) iter.Seq2[[]driver.Entry, error] {
	return func(yield func([]driver.Entry, error) bool) {
		var (
			batch []driver.Entry
			bytes int64
		)
		for entry, err := range scan(ctx, s.cache, prefix) {
			if err != nil {
				yield(nil, err)
				return
			}
			if skip(entry.Key) {
				continue
			}
			if len(batch) == size || len(batch) > 0 && bytes+entry.Size > batchBytes {
				if !yield(batch, nil) {
					return
				}
				batch, bytes = nil, 0
			}
			batch, bytes = append(batch, entry), bytes+max(entry.Size, 0)
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}

// read returns the records of entries that are still present, with TTLs. Where the store
// does not return a value together with its TTL, the TTL is that of the entry. failed is
// called for each entry that cannot be read; err is that of the whole batch.
func (s *entryStore) read(ctx context.Context, entries []driver.Entry, failed func(key string, err error)) ([]record, error) {
	keys := make([]string, len(entries))
	for i, entry := range entries {
		keys[i] = s.prefix + entry.Key
	}
	values, ttls, err := s.ops.GetManyWithTTL(ctx, keys)
	if errors.Is(err, errors.ErrUnsupported) {
		values, err = s.ops.GetMany(ctx, keys)
		ttls = make([]time.Duration, len(entries))
		for i, entry := range entries {
			ttls[i] = entry.TTL
		}
	}
	read := time.Now()
	if err != nil {
		var batch *cache.BatchError
		if isOutage(err) || !errors.As(err, &batch) {
			return nil, s.wrap(err)
		}
		named := make(map[string]bool)
		for _, f := range batch.Failed {
			key := f.Key[len(s.prefix):]
			failed(key, f.Err)
			named[key] = true
		}
		if errors.Is(err, cache.ErrInvalidKey) { // then no key was read
			others := slices.DeleteFunc(slices.Clone(entries), func(entry driver.Entry) bool { return named[entry.Key] })
			return s.read(ctx, others, failed)
		}
	}
	var records []record
	for i, value := range values {
		if value == nil {
			continue
		}
		r := record{key: entries[i].Key, value: value}
		switch {
		case ttls[i] > 0:
			r.expires = read.Add(ttls[i])
		case ttls[i] < 0:
			r.unknown = true
		}
		records = append(records, r)
	}
	return records, nil
}

// wrap says which of two stores err is from.
func (s *entryStore) wrap(err error) error {
	if s.name == "" {
		return err
	}
	return namedError{s.name, err}
}

// isOutage reports whether err is of the store and not of one entry.
func isOutage(err error) bool {
	for _, outage := range []error{cache.ErrUnavailable, cache.ErrClosed, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, outage) {
			return true
		}
	}
	return false
}

// written is what became of a record.
type written int

const (
	isStored  written = iota
	isPresent         // and was not replaced
	isExpired         // before it was written
	isFailed
)

// parallelWrites is how many records are written at a time. Backends combine concurrent
// calls into few round trips.
const parallelWrites = 16

// write stores records, with replace over those that are present. The result has one
// element for each record; failed is called with the error of those that failed. err is
// that of the store: then some of the records are not written.
func (s *entryStore) write(ctx context.Context, records []record, replace bool, failed func(key string, err error)) ([]written, error) {
	results := make([]written, len(records))
	errs := make([]error, len(records))
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(parallelWrites, len(records)) {
		wait.Go(func() {
			for i := range next {
				results[i], errs[i] = s.writeOne(ctx, records[i], replace)
			}
		})
	}
	for i := range records {
		next <- i
	}
	close(next)
	wait.Wait()
	if i := slices.IndexFunc(errs, isOutage); i >= 0 {
		return nil, s.wrap(errs[i])
	}
	for i, err := range errs {
		if err != nil {
			failed(records[i].key, err)
		}
	}
	return results, nil
}

func (s *entryStore) writeOne(ctx context.Context, r record, replace bool) (written, error) {
	var options []cache.SetOption // none if the default of the store applies
	if !r.unknown {
		ttl := time.Duration(0)
		if !r.expires.IsZero() {
			if ttl = time.Until(r.expires); ttl <= 0 {
				return isExpired, nil
			}
		}
		options = append(options, cache.Timeout(ttl))
	}
	if replace {
		if err := s.cache.Set(ctx, r.key, r.value, options...); err != nil {
			return isFailed, err
		}
		return isStored, nil
	}
	added, err := s.cache.Add(ctx, r.key, r.value, options...)
	switch {
	case err != nil:
		return isFailed, err
	case !added:
		return isPresent, nil
	}
	return isStored, nil
}
