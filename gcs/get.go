package gcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// Get is one request, which returns the bytes and the expiry together.
func (b *Backend) Get(ctx context.Context, key string) ([]byte, bool, error) {
	o, err := b.object(key)
	if err != nil {
		return nil, false, err
	}
	value, e, err := o.read(ctx, nil)
	if err != nil || !o.isLive(ctx, e) {
		return nil, false, err
	}
	return value, true, nil
}

// GetAppend is Get with the bytes read into the capacity of dst if it is large enough.
func (b *Backend) GetAppend(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	o, err := b.object(key)
	if err != nil {
		return dst, false, err
	}
	value, e, err := o.read(ctx, dst[len(dst):])
	if err != nil || !o.isLive(ctx, e) {
		return dst, false, err
	}
	return remote.Append(dst, value), true, nil
}

// GetWithTTL is Get with the remaining TTL, which comes with the bytes.
func (b *Backend) GetWithTTL(ctx context.Context, key string) ([]byte, time.Duration, bool, error) {
	o, err := b.object(key)
	if err != nil {
		return nil, 0, false, err
	}
	value, e, err := o.read(ctx, nil)
	if err != nil || !o.isLive(ctx, e) {
		return nil, 0, false, err
	}
	return value, e.ttl(), true, nil
}

// Has reads the attributes of the object.
func (b *Backend) Has(ctx context.Context, key string) (bool, error) {
	_, ok, err := b.TTL(ctx, key)
	return ok, err
}

// TTL returns the remaining TTL of key, by the clock of this machine.
func (b *Backend) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	o, err := b.object(key)
	if err != nil {
		return 0, false, err
	}
	e, err := o.attributes(ctx)
	if err != nil || !o.isLive(ctx, e) {
		return 0, false, err
	}
	return e.ttl(), true, nil
}

// isLive reports whether e is live. An expired object and the object of a lease that
// has ended are removed if the options say so.
func (o object) isLive(ctx context.Context, e entry) bool {
	live := e.isLive()
	if o.b.options.DeleteExpiredOnRead && !live && e.generation != 0 && !e.isHeld() {
		o.purge(ctx, e)
	}
	return live
}

// read returns the bytes of the object, none if it has expired, and its entry. The bytes
// are in memory if the capacity is large enough.
func (o object) read(ctx context.Context, memory []byte) (value []byte, e entry, err error) {
	err = o.b.read(ctx, func(ctx context.Context) (err error) {
		value, e, err = o.download(ctx, memory)
		return err
	})
	return value, e, o.b.allowAbsent(ctx, err)
}

// attributes returns the entry without the bytes.
func (o object) attributes(ctx context.Context) (e entry, err error) {
	err = o.b.read(ctx, func(ctx context.Context) (err error) {
		e, err = o.b.attributesOf(ctx, o.handle)
		return err
	})
	return e, o.b.allowAbsent(ctx, err)
}

// attributesOf is a single attempt.
func (b *Backend) attributesOf(ctx context.Context, handle *storage.ObjectHandle) (entry, error) {
	attrs, err := handle.Attrs(ctx)
	if err == nil {
		err = checkGeneration(attrs.Generation)
	}
	if err != nil {
		return entry{}, err
	}
	return b.entryFrom(attrs), nil
}

// errReplaced means that an object was replaced while it was being read.
var errReplaced = errors.New("the object was replaced while being read")

// download is a single attempt of read.
func (o object) download(ctx context.Context, memory []byte) ([]byte, entry, error) {
	// Without ReadCompressed the service would expand what is stored compressed.
	r, err := o.handle.ReadCompressed(true).NewReader(ctx)
	if err != nil {
		return nil, entry{}, err
	}
	defer r.Close()
	if err := checkGeneration(r.Attrs.Generation); err != nil {
		return nil, entry{}, err
	}
	e := entryOf(r.Attrs.Generation, r.Metadata())
	if !e.ours {
		// It is another program's, or the client reads by JSON, which returns no
		// metadata. The generation is pinned: the metadata has to be that of the bytes.
		e, err = o.b.attributesOf(ctx, o.handle.Generation(e.generation))
		if status(err) == http.StatusNotFound {
			return nil, e, errReplaced
		}
		if err != nil {
			return nil, e, err
		}
	}
	if !e.isLive() {
		return nil, e, nil
	}
	value, err := readAll(r, r.Attrs.Size, memory)
	if err != nil {
		return nil, e, err
	}
	return o.b.value(value, r.Attrs.ContentType, e.raw), e, nil
}

// checkGeneration returns an error if a response has no generation, which every
// object of the service has.
func checkGeneration(generation int64) error {
	if generation <= 0 {
		return foreignReply("no generation of the object")
	}
	return nil
}

// maxPrealloc bounds the memory that is allocated before bytes arrive, whatever
// length the response claims.
const maxPrealloc = 1 << 20

// readAll reads to the end, which is after size bytes unless size is negative. It reads
// into memory if the capacity is large enough.
func readAll(r io.Reader, size int64, memory []byte) ([]byte, error) {
	if memory != nil && size >= 0 && size <= int64(cap(memory)) {
		return readExactly(r, memory[:size])
	}
	first := min(max(size, 0), maxPrealloc)
	all := bytes.NewBuffer(make([]byte, 0, first+bytes.MinRead)) // room to find the end without growing
	n, err := all.ReadFrom(r)
	if err == nil && size >= 0 && n != size {
		err = errSize(n, size)
	}
	return all.Bytes(), err
}

// readExactly fills value and then reads the end, where the client library compares the
// checksum.
func readExactly(r io.Reader, value []byte) ([]byte, error) {
	n, err := io.ReadFull(r, value)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, errSize(int64(n), int64(len(value)))
	}
	if err != nil {
		return nil, err
	}
	var more [1]byte
	if _, err := io.ReadFull(r, more[:]); err == nil {
		return nil, errSize(int64(n)+1, int64(n))
	} else if err != io.EOF {
		return nil, err
	}
	return value, nil
}

func errSize(n, size int64) error {
	return fmt.Errorf("%d bytes of %d: %w", n, size, io.ErrUnexpectedEOF)
}

// allowAbsent makes nil of err if it is errAbsent. A missing bucket responds alike,
// so that the bucket is looked for until it has been seen.
func (b *Backend) allowAbsent(ctx context.Context, err error) error {
	switch {
	case err == nil:
		b.bucketSeen.Store(true)
	case !errors.Is(err, errAbsent):
		return err
	case !b.bucketSeen.Load():
		// Other errors do not make an error of a miss: the right to list may be missing.
		if _, _, err := b.list(ctx, "", "", 1); errors.Is(err, storage.ErrBucketNotExist) {
			return err
		}
	}
	return nil
}
