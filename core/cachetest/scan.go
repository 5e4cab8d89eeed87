package cachetest

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Scan lists the entries whose key begins with prefix. A fault of the operation "scan" on
// prefix fails the call. A fault on the key of an entry ends the list at this entry.
func (s *Store) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		var keys []string
		err := s.one(ctx, "scan", prefix, func() error {
			keys = slices.Collect(maps.Keys(s.items))
			return nil
		})
		for i := 0; err == nil && i < len(keys); i++ {
			if !strings.HasPrefix(keys[i], prefix) {
				continue
			}
			var entry driver.Entry
			var ok bool
			if entry, ok, err = s.describe(ctx, keys[i]); ok && !yield(entry, nil) {
				return
			}
		}
		if err != nil {
			yield(driver.Entry{}, err)
		}
	}
}

// describe returns the entry of key, and whether it is present.
func (s *Store) describe(ctx context.Context, key string) (entry driver.Entry, ok bool, err error) {
	s.mu.Lock()
	found, ok := s.find(key)
	before, after, delay := apply(s.faults, "scan", []string{key})
	closed := s.closed
	s.mu.Unlock()
	switch err := wait(ctx, delay); {
	case err != nil:
		return entry, false, err
	case closed:
		return entry, false, driver.ErrClosed
	case ctx.Err() != nil:
		return entry, false, ctx.Err()
	case before[0] != nil:
		return entry, false, before[0]
	case after[0] != nil:
		return entry, false, after[0]
	}
	entry = driver.Entry{Key: key, TTL: found.left(), Size: -1}
	if data, isBytes, _ := bytesOf(found, ok); isBytes {
		entry.Size = int64(len(data))
	}
	return entry, ok, nil
}
