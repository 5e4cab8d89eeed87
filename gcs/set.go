package gcs

import (
	"context"
	"crypto/rand"
	"errors"
	"hash/crc32"
	"net/http"
	"strconv"
	"time"

	"cloud.google.com/go/storage"
)

const (
	// contentType keeps browsers from showing an object, and the client library from
	// guessing a type.
	contentType = "application/octet-stream"
	// cacheControl keeps proxies from storing objects that everybody may read, which
	// they do for an hour by default.
	cacheControl = "no-store"
)

// Set is one request. The TTL begins before it.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	expires := expiresAt(ttl)
	o, err := b.object(key)
	if err != nil {
		return err
	}
	return b.write(ctx, func(ctx context.Context) error {
		return o.upload(ctx, storage.Conditions{}, content{value: value, expires: expires})
	})
}

// Add stores on the condition that there is no object. If there is one, Add reads
// its expiry, and replaces an expired one on the condition that it is still the same.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	expires := expiresAt(ttl)
	o, err := b.object(key)
	if err != nil {
		return false, err
	}
	err = b.race(ctx, func(ctx context.Context) (decided bool, err error) {
		added, err = o.putIf(ctx, storage.Conditions{DoesNotExist: true}, value, expires)
		if added || err != nil {
			return added, err
		}
		e, found, err := o.attributes(ctx)
		if err != nil || !found || !e.isExpired() {
			return found, err
		}
		added, err = o.putIf(ctx, storage.Conditions{GenerationMatch: e.generation}, value, expires)
		return added, err
	})
	return added, err
}

// content is what an object is made of.
type content struct {
	value   []byte
	expires int64  // Unix milliseconds, 0 for never
	token   string // of the Add or Inc that writes it
}

// putIf stores value if condition holds, and reports whether it did. After a lost
// reply the condition may be broken by the lost attempt itself: then the object has
// its token.
func (o object) putIf(ctx context.Context, condition storage.Conditions, value []byte, expires int64) (bool, error) {
	c := content{value, expires, rand.Text()}
	isFirst := true
	err := o.b.write(ctx, func(ctx context.Context) error {
		err := o.upload(ctx, condition, c)
		if status(err) == http.StatusPreconditionFailed && !isFirst {
			if e, errAttrs := attributesOf(ctx, o.handle); errAttrs == nil && e.token == c.token {
				return nil
			}
		}
		isFirst = false
		return err
	})
	if errors.Is(err, errCondition) {
		return false, nil
	}
	return err == nil, err
}

// upload is a single attempt to store c, which the service refuses if the bytes
// arrive damaged.
func (o object) upload(ctx context.Context, condition storage.Conditions, c content) error {
	handle := o.handle
	if condition != (storage.Conditions{}) {
		handle = handle.If(condition)
	}
	w := handle.NewWriter(ctx)
	w.ChunkSize = 0 // one request, and no buffer of 16 MiB
	w.ContentType, w.CacheControl = contentType, cacheControl
	w.Metadata = map[string]string{metaExpires: strconv.FormatInt(c.expires, 10)}
	if c.token != "" {
		w.Metadata[metaToken] = c.token
	}
	if c.expires != 0 {
		w.CustomTime = time.UnixMilli(c.expires).UTC()
	}
	w.CRC32C, w.SendCRC32C = crc32.Checksum(c.value, castagnoli), true
	_, _ = w.Write(c.value) // Close returns its error, or the response that explains it
	err := w.Close()
	switch {
	case err == nil:
		err = checkGeneration(w.Attrs().Generation)
	case status(err) == http.StatusNotFound:
		o.b.bucketSeen.Store(false)
		return o.b.noBucket(err)
	}
	if err == nil {
		o.b.bucketSeen.Store(true)
	}
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
