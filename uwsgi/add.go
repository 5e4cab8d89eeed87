package uwsgi

import (
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver/remote"
)

const (
	maxSweep  = 10 * time.Second // more than three times the default interval of the server
	sweepPoll = 20 * time.Millisecond
)

// Add stores value if key is absent, in one atomic step of the server. It returns false
// without an error only if it has read a live entry.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	r := request{command: "set", key: key, value: b.encode(value), seconds: seconds(ttl)}
	if err := b.check(r); err != nil {
		return false, err
	}
	// Only the server may remove an expired entry. If Add removed it, it could remove
	// what another caller has stored since.
	sweepEnd := time.Now().Add(maxSweep)
	for absent := 0; ; {
		_, err := b.roundTrip(ctx, r)
		if err != errNoReply {
			return err == nil, remote.Outcome(ctx, err, true)
		}
		e, err := b.read(ctx, key, nil)
		switch {
		case err != nil:
			return false, remote.Outcome(ctx, err, true)
		case e.isAlive():
			return false, nil
		case !e.found: // removed since, or the cache is full
			if absent++; absent < 3 {
				continue
			}
			if err := b.checkFull(ctx); err != nil {
				return false, remote.Outcome(ctx, err, false)
			}
		}
		if time.Now().After(sweepEnd) {
			return false, errNotAdded(e)
		}
		if err := remote.Sleep(ctx, sweepPoll); err != nil {
			return false, remote.Outcome(ctx, remote.Unsent{Err: err}, true)
		}
	}
}

// errNotAdded returns why no request of Add was executed until sweepEnd. e is what the last
// read has found.
func errNotAdded(e entry) error {
	if e.found {
		return errNotSwept
	}
	return errRaces
}
