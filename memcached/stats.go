package memcached

import (
	"context"
	"errors"
	"fmt"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// evictions counts what the servers have evicted since the first call of Stats. A call holds
// turn, so that the numbers of a server arrive in order.
type evictions struct {
	turn  chan struct{}
	last  map[string]int64 // by server
	total int64
}

// add adds the evictions of a server since the last call, all of them if it was restarted.
func (e *evictions) add(server string, n int64) {
	last, known := e.last[server]
	e.last[server] = n
	switch {
	case !known:
	case n < last:
		e.total += n
	default:
		e.total += n - last
	}
}

// Stats returns the sums of all servers. They include the entries of other programs, which
// memcached does not count apart, the chunks of large values and the placeholders of leases.
// Evictions are counted from the first call of Stats, and those between the last call and a
// restart of a server are lost. Expirations are unknown: memcached counts only some of them.
// A number is also unknown if a server, or a proxy, does not return it.
//
// If a server fails, Stats returns its error. A gomemcache client does not support Stats.
func (b *Backend) Stats(ctx context.Context) (driver.Stats, error) {
	if b.closed.Load() {
		return driver.UnknownStats, driver.ErrClosed
	}
	store := b.store
	if p, ok := store.(pieced); ok {
		store = p.store
	}
	client, ok := store.(*wire.Client)
	if !ok {
		return driver.UnknownStats, errNoStats
	}
	select {
	case b.evictions.turn <- struct{}{}:
		defer func() { <-b.evictions.turn }()
	case <-ctx.Done():
		return driver.UnknownStats, remote.Outcome(ctx, ctx.Err(), false)
	}
	servers, err := client.Stats(ctx)
	if err != nil {
		return driver.UnknownStats, err
	}
	sum, evicted := wire.Stats{}, int64(0)
	for server, s := range servers {
		plus(&sum.Items, s.Items)
		plus(&sum.Bytes, s.Bytes)
		plus(&sum.MaxBytes, s.MaxBytes)
		plus(&evicted, s.Evictions)
		if s.Evictions >= 0 {
			b.evictions.add(server, s.Evictions)
		}
	}
	if evicted >= 0 {
		evicted = b.evictions.total
	}
	return driver.Stats{Entries: sum.Items, Bytes: sum.Bytes, MaxBytes: sum.MaxBytes, Evictions: evicted, Expirations: -1}, nil
}

// ServerInfo returns what every server reports about itself, by its address: the lines of
// the command stats, such as curr_connections. Their names, units and number depend on the
// version of the server. The caller owns the maps. A gomemcache client does not support
// ServerInfo.
func (b *Backend) ServerInfo(ctx context.Context) (map[string]map[string]string, error) {
	if b.closed.Load() {
		return nil, driver.ErrClosed
	}
	client, ok := b.store.(*wire.Client)
	if !ok {
		return nil, errNoStats
	}
	servers, err := client.Info(ctx)
	if err != nil {
		return nil, err
	}
	return servers, nil
}

// plus adds n to sum. One unknown number makes the sum unknown.
func plus(sum *int64, n int64) {
	if *sum < 0 || n < 0 {
		*sum = -1
		return
	}
	*sum += n
}

var errNoStats = fmt.Errorf("%w: a gomemcache client does not return the statistics of a server", errors.ErrUnsupported)
