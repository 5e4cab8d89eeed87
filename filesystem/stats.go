package filesystem

import (
	"context"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Stats returns what is known without a scan. Entries is the number at which the
// threshold is kept: exact as far as this Backend is the only one, or an estimate if New
// has counted a part of the directory. Bytes is an estimate from the files that were
// written or scanned lately. Evictions and Expirations are those of this Backend.
func (b *Backend) Stats(context.Context) (driver.Stats, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.tree == nil {
		return driver.UnknownStats, driver.ErrClosed
	}
	u := &b.tree.usage
	u.mu.Lock()
	defer u.mu.Unlock()
	stats := driver.Stats{
		Entries:     int64(max(0, u.entries)),
		Bytes:       -1,
		Evictions:   b.evicted.Load(),
		Expirations: b.expired.Load(),
	}
	switch {
	case stats.Entries == 0:
		stats.Bytes = 0
	case u.sizedFiles > 0:
		stats.Bytes = int64(float64(u.sizedBytes) / float64(u.sizedFiles) * float64(stats.Entries))
	}
	return stats, nil
}
