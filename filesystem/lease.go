package filesystem

import (
	"bytes"
	"context"
	"crypto/rand"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// A lease is an entry that is expired from the beginning: its expiry is the negative end
// of the hold, and its value is the token. So a leased key is absent for every other method,
// and every write replaces or removes its file, which ends the lease. Fill replaces
// only a file that has its token.

// leased reports whether x is the expiry of a lease that has not ended. An end which is
// later than that of any hold was written before the clock was set back.
func (x expiry) leased(now time.Time) bool {
	left := -int64(x) - now.UnixMicro()
	return x < 0 && left > 0 && left <= 2*driver.MaxHold.Microseconds()
}

// Lease returns the value of key, which the caller owns, or a token if the caller may
// load it.
func (b *Backend) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	err = b.write(entry{key: key}, func(tx *writeTx) (err error) {
		value, ok, token, err = tx.lease(ctx, hold)
		return err
	})
	return value, ok, token, err
}

// lease returns the live value of the key, or stores a lease.
func (tx *writeTx) lease(ctx context.Context, hold time.Duration) (value []byte, ok bool, token string, err error) {
	free := func() (bool, error) {
		stored, err := tx.stored()
		if stored.live() {
			value, ok = stored.value, true
		}
		return err == nil && !ok && !stored.expires.leased(time.Now()), err
	}
	// Callers that wait for the holder do not take the lock.
	if free, err := free(); !free {
		return value, ok, "", err
	}
	err = tx.withRoom(ctx, func() error {
		if free, err := free(); !free {
			return err
		}
		granted := rand.Text()
		tx.entry = newEntry(tx.entry.key, []byte(granted), hold)
		tx.entry.expires *= -1
		err := tx.rewrite(ctx)
		if err == nil {
			token = granted
		}
		return err
	})
	return value, ok, token, err
}

// Fill stores value under key if token is its lease. If the disk is full, the error
// wraps [driver.ErrFull] and the lease remains.
func (b *Backend) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (filled bool, err error) {
	return b.replaceIf(ctx, b.newEntry(key, value, ttl), func(stored entry) bool {
		return stored.expires.leased(time.Now()) && string(stored.value) == token
	})
}

// CompareAndSwap stores value under key if its value equals old, atomically across all
// processes. If the disk is full, the error wraps [driver.ErrFull] and the old value
// remains.
func (b *Backend) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (swapped bool, err error) {
	return b.replaceIf(ctx, b.newEntry(key, value, ttl), func(stored entry) bool {
		return stored.live() && bytes.Equal(stored.value, old)
	})
}

// replaceIf stores e if its key has an entry that matches.
func (b *Backend) replaceIf(ctx context.Context, e entry, matches func(stored entry) bool) (replaced bool, err error) {
	name := b.entryName(e.key)
	err = b.inSlice(name, func(s *slice) (err error) {
		tx := b.newWrite(s, name, e)
		replaced, err = tx.store(ctx, func() (bool, error) {
			stored, err := tx.stored()
			if err != nil || !matches(stored) {
				return false, err
			}
			return true, tx.publish(ctx)
		})
		return err
	})
	return replaced, ignoreCorrupt(err)
}

// Release ends the lease of key if token is that lease.
func (b *Backend) Release(ctx context.Context, key, token string) error {
	name := b.entryName(key)
	return ignoreCorrupt(b.inSlice(name, func(s *slice) error {
		tx := b.newWrite(s, name, entry{key: key})
		return b.withLock(ctx, s, func() error {
			stored, err := tx.stored()
			if err != nil || stored.expires >= 0 || string(stored.value) != token {
				return err
			}
			return s.removeEntry(name)
		})
	}))
}
