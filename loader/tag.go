package loader

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// The version of a tag is a random number, stored under tagPrefix + tag. An entry
// contains the versions that were current before its load, and is served only while they
// are current. If [Invalidate] or the store removes a version, it never returns: the next
// load with the tag stores a new one. An eviction may end an entry early, but an
// invalidated entry is never served again.
const (
	tagPrefix   = "loader-tag:"
	versionLife = 30 * 24 * time.Hour
)

// Invalidate removes all entries of c that loads have marked with one of tags, in one
// batch, whatever their number. If a load has called [Tag] before, its entry is not served,
// even if it is stored later. If some tags failed, the error wraps a
// [*cache.BatchError] that names them.
func Invalidate(ctx context.Context, c *cache.Cache, tags ...string) error {
	_, err := c.DeleteMany(ctx, tagKeys(tags)...)
	return driver.RenameKeys(err, func(key string) string { return strings.TrimPrefix(key, tagPrefix) })
}

func tagKeys(tags []string) []string {
	keys := make([]string, len(tags))
	for i, t := range tags {
		keys[i] = tagPrefix + t
	}
	return keys
}

// versions returns the current version of each tag, 0 if it has none.
func versions(ctx context.Context, c *cache.Cache, tags []string) (map[string]uint64, error) {
	current := make(map[string]uint64, len(tags))
	results, err := cache.Of[uint64](c).GetMany(ctx, tagKeys(tags)...)
	for i, r := range results {
		current[tags[i]] = r.Value
	}
	if driver.IsCorrupt(err) {
		err = nil // a damaged version is none
	}
	return current, err
}

// currentTags returns tags with their versions. It gives a version to those that have
// none.
func currentTags(ctx context.Context, c *cache.Cache, names []string) ([]tag, error) {
	const attempts = 3 // an Invalidate may interrupt each
	tags := make([]tag, 0, len(names))
	for range attempts {
		current, err := versions(ctx, c, names)
		if err != nil {
			return nil, err
		}
		var without []string
		for _, name := range names {
			if version := current[name]; version != 0 {
				tags = append(tags, tag{name, version})
				continue
			}
			version := newVersion()
			added, err := cache.Of[uint64](c).Add(ctx, tagPrefix+name, version, cache.Timeout(versionLife))
			switch {
			case err != nil:
				return nil, err
			case added:
				tags = append(tags, tag{name, version})
			default: // another load was faster
				without = append(without, name)
			}
		}
		if names = without; len(names) == 0 {
			return tags, nil
		}
	}
	return nil, fmt.Errorf("%w: the version of a tag could not be stored", cache.ErrUnavailable)
}

// newVersion returns a random number that is not 0.
func newVersion() uint64 { return max(rand.Uint64(), 1) }

// checkTags marks the reads whose entries have a tag that was invalidated. It reads the
// versions of all of them at once. If they cannot be read, no entry that has tags is
// served.
func checkTags[T any](ctx context.Context, c *cache.Cache, reads ...*read[T]) {
	var names []string
	var tagged []*read[T]
	for _, r := range reads {
		if r.e == nil || len(r.e.tags) == 0 || r.phase() == absent {
			continue
		}
		tagged = append(tagged, r)
		for _, t := range r.e.tags {
			names = append(names, t.name)
		}
	}
	if len(tagged) == 0 {
		return
	}
	slices.Sort(names)
	current, err := versions(ctx, c, slices.Compact(names))
	for _, r := range tagged {
		for _, t := range r.e.tags {
			r.dead = r.dead || current[t.name] != t.version
		}
		if r.dead {
			r.fault = err
		}
	}
}
