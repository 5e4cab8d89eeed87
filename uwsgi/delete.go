package uwsgi

import (
	"context"

	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// maxDeletes is the number of requests that Delete sends if the server does not reply.
const maxDeletes = 5

// Delete removes key. It reads the entry first, because the server also reports an
// expired entry as deleted; a present key takes two requests. If the server does not reply,
// Delete reads the entry again, because a worker may have been killed before it executed
// the request. It repeats the request only if that read finds the entry unchanged. Between
// the read and the request, another caller may store an entry, which is then removed.
func (b *Backend) Delete(ctx context.Context, key string) (bool, error) {
	e, err := b.lookup(ctx, key, nil)
	if err != nil || !e.isAlive() {
		return false, err
	}
	for range maxDeletes {
		_, err = b.roundTrip(ctx, request{command: "del", key: key})
		if err != errNoReply {
			return err == nil, remote.Outcome(ctx, err, true)
		}
		now, err := b.read(ctx, key, nil)
		if err != nil {
			return false, remote.Outcome(ctx, err, true)
		}
		if !now.isAlive() || !now.equals(e) {
			return false, nil // another caller deleted it first
		}
	}
	return false, remote.Outcome(ctx, errNoReply, true)
}
