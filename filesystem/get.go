package filesystem

import (
	"context"
	"time"
)

// Get returns the value of key. The caller owns the slice. If the file of key
// does not hold a valid entry of key, the error wraps [driver.ErrCorrupt].
func (b *Backend) Get(_ context.Context, key string) ([]byte, bool, error) {
	e, err := b.read(key, nil, true)
	if !e.live() {
		return nil, false, err
	}
	return e.value, true, err
}

// GetAppend appends the value of key to dst. If it fits into the capacity of dst, it is
// read there by one system call, and nothing is allocated on Linux. The errors are those
// of Get.
func (b *Backend) GetAppend(_ context.Context, key string, dst []byte) (extended []byte, ok bool, err error) {
	e, err := b.read(key, dst, true)
	if !e.live() {
		return dst, false, err
	}
	return e.value, true, err
}

// GetWithTTL returns the value of key, which the caller owns, and its remaining TTL. A
// ttl of 0 with ok=true means that key never expires. Both are in the one file that it
// reads. The errors are those of Get.
func (b *Backend) GetWithTTL(_ context.Context, key string) (value []byte, ttl time.Duration, ok bool, err error) {
	e, err := b.read(key, nil, true)
	ttl, ok = e.remaining()
	if !ok {
		return nil, 0, false, err
	}
	return e.value, ttl, true, err
}

// Has reports whether key is present. It reads the file and verifies its checksum, so
// that its answer is that of Get.
func (b *Backend) Has(_ context.Context, key string) (bool, error) {
	e, err := b.read(key, nil, false)
	return e.live(), ignoreCorrupt(err)
}

// TTL returns the remaining TTL of key; 0 with ok=true means that key never
// expires.
func (b *Backend) TTL(_ context.Context, key string) (ttl time.Duration, ok bool, err error) {
	e, err := b.read(key, nil, false)
	ttl, ok = e.remaining()
	return ttl, ok, ignoreCorrupt(err)
}

// read reads the entry of key, as slice.read does.
func (b *Backend) read(key string, dst []byte, keep bool) (e entry, err error) {
	name := b.fileName(key)
	err = b.inSlice(name.String(), func(s *slice) (err error) {
		e, err = s.read(name.String(), key, dst, keep)
		return err
	})
	return e, err
}
