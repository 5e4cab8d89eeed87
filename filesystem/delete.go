package filesystem

import (
	"context"
	"time"
)

// Delete removes key and reports whether it was present.
func (b *Backend) Delete(ctx context.Context, key string) (deleted bool, err error) {
	name := b.entryName(key)
	err = b.inSlice(name, func(s *slice) error {
		return b.withLock(ctx, s, func() error {
			ok, err := s.exists(name, key)
			if err != nil {
				return err
			}
			err = s.removeEntry(name)
			if !ok && err != nil { // removing an expired or corrupt file is optional, ending a lease is not
				if h, _, _ := s.readHead(name, 0); !h.expires.leased(time.Now()) {
					return nil
				}
			}
			deleted = ok && err == nil
			return err
		})
	})
	if !deleted { // corrupt: a foreign file in place of the fan-out directory
		err = ignoreCorrupt(err)
	}
	return deleted, err
}
