package gcs

import (
	"context"
	"iter"
	"strings"
	"unicode/utf8"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/core/driver"
)

// Scan lists the objects whose names begin with [Options.Prefix] and prefix, a thousand
// per request, in the order of their names. Expired objects and leases are left out, but
// the service has to list them. The service lists each object once and needs the
// permission objects.list. Objects of other programs are entries that never expire, except
// those whose names are no valid keys. With [Options.Flask], the objects of Python expire at
// their customTime, and the size of an entry is -1 unless its object holds the value itself.
// Scan removes nothing.
func (b *Backend) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		names := b.options.Prefix + prefix
		for token, more := "", true; more; more = token != "" {
			page, next, err := b.listEntries(ctx, names, token)
			if err != nil {
				yield(driver.Entry{}, err)
				return
			}
			token = next
			for _, attrs := range page {
				entry, ok := b.entryListed(attrs)
				if ok && strings.HasPrefix(attrs.Name, names) && !yield(entry, nil) {
					return
				}
			}
		}
	}
}

// listEntries returns a page of the objects whose names may begin with prefix, with the
// attributes that entryListed needs.
func (b *Backend) listEntries(ctx context.Context, prefix, token string) (page []*storage.ObjectAttrs, next string, err error) {
	if b.closed.Load() {
		return nil, "", driver.ErrClosed
	}
	return b.list(ctx, validUTF8(prefix), token, namesPerPage, "Size", "Metadata", "CustomTime")
}

// validUTF8 returns the beginning of prefix that the service accepts: prefix may end inside
// a character.
func validUTF8(prefix string) string {
	end := 0
	for i, r := range prefix {
		if _, size := utf8.DecodeRuneInString(prefix[i:]); r == utf8.RuneError && size == 1 {
			break
		}
		end = i + utf8.RuneLen(r)
	}
	return prefix[:end]
}

// entryListed returns the entry of an object, if it is one.
func (b *Backend) entryListed(attrs *storage.ObjectAttrs) (entry driver.Entry, ok bool) {
	key, ours := strings.CutPrefix(attrs.Name, b.options.Prefix)
	e := b.entryFrom(attrs)
	if !ours || key == "" || checkName(attrs.Name) != nil || !e.isLive() {
		return driver.Entry{}, false
	}
	size := attrs.Size
	if b.options.Flask && !e.raw {
		size = -1 // that of JSON or bytes, of which Get makes a pickle
	}
	return driver.Entry{Key: strings.Clone(key), TTL: e.ttl(), Size: size}, true
}

var _ driver.Scanner = (*Backend)(nil)
