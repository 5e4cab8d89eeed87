package gcs

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"hash/crc32"
	"net/http"
	"strconv"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
)

const (
	// contentTypeBytes keeps browsers from showing an object, and the client library from
	// guessing a type.
	contentTypeBytes = "application/octet-stream"
	// cacheControl keeps proxies from storing objects that everybody may read, which
	// they do for an hour by default.
	cacheControl = "no-store"
)

// Set is one request without a condition. The TTL begins before it.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	expires := expiresAt(ttl)
	o, err := b.object(key)
	if err != nil {
		return err
	}
	return b.writeOnce(ctx, func(ctx context.Context) error {
		_, err := o.upload(ctx, o.handle, content{value: value, expires: expires})
		return err
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
	c := content{value: value, expires: expires}
	err = b.race(ctx, func(ctx context.Context) (decided bool, err error) {
		generation, err := o.putIf(ctx, entry{}, c)
		if generation == 0 && err == nil {
			var e entry
			if e, err = o.attributes(ctx); err != nil || e.generation == 0 || e.isLive() {
				return e.generation != 0, err
			}
			generation, err = o.putIf(ctx, e, c)
		}
		added = generation != 0
		return added, err
	})
	return added, err
}

// content is what an object is made of.
type content struct {
	value   []byte
	expires int64  // Unix milliseconds, 0 for never
	lease   int64  // of a lease: its end in Unix milliseconds
	token   string // of the conditional write that stores it
}

// replace reads the object, asks next what to store in its place, and stores it if the
// object is still the same. If it is not, replace starts again. It returns the
// generation that it has stored, 0 if next returned store=false.
func (o object) replace(ctx context.Context, next func(value []byte, e entry) (c content, store bool, err error)) (generation int64, err error) {
	err = o.b.race(ctx, func(ctx context.Context) (decided bool, err error) {
		value, e, err := o.read(ctx, nil)
		if err != nil {
			return false, err
		}
		c, store, err := next(value, e)
		if err != nil || !store {
			return true, err
		}
		generation, err = o.putIf(ctx, e, c)
		return generation != 0, err
	})
	return generation, err
}

// putIf stores c if the object is still e, and returns the new generation, 0 if it is
// not. After a lost reply the lost attempt itself may have replaced e: then the object
// has its token. If e is the zero entry, a repeated attempt could store c again after
// another caller has removed it, so that putIf only looks for the token. A lease may be
// stored again.
func (o object) putIf(ctx context.Context, e entry, c content) (generation int64, err error) {
	c.token = rand.Text()
	same, repeatable := o.same(e), e.generation != 0 || c.lease != 0
	var failed, uncertain bool // an attempt did, and may have been executed
	err = o.b.write(ctx, func(ctx context.Context) (err error) {
		if repeatable || !uncertain {
			generation, err = o.upload(ctx, same, c)
			if !failed || status(err) != http.StatusPreconditionFailed {
				failed, uncertain = true, uncertain || faultOf(err) == unanswered
				return err
			}
		}
		now, err := o.b.attributesOf(ctx, o.handle)
		if err != nil || now.token != c.token {
			return &googleapi.Error{Code: http.StatusPreconditionFailed, Message: "not the object of the failed attempt"}
		}
		generation = now.generation
		return nil
	})
	if errors.Is(err, errCondition) {
		return 0, nil
	}
	return generation, err
}

// upload is a single attempt to store c, which the service refuses if the bytes
// arrive damaged.
func (o object) upload(ctx context.Context, handle *storage.ObjectHandle, c content) (generation int64, err error) {
	w := handle.NewWriter(ctx)
	w.ChunkSize = 0 // one request, and no buffer of 16 MiB
	body, raw := c.value, false
	w.ContentType, w.CacheControl = contentTypeBytes, cacheControl
	if c.lease == 0 {
		body, w.ContentType, raw = o.b.body(c.value)
	}
	w.Metadata = map[string]string{metaExpires: strconv.FormatInt(c.expires, 10)}
	if raw {
		w.Metadata[metaRaw] = "1"
	}
	if c.token != "" {
		w.Metadata[metaToken] = c.token
	}
	if c.lease != 0 {
		w.Metadata[metaLease] = strconv.FormatInt(c.lease, 10)
	}
	if end := o.b.customTime(c); end != 0 {
		w.CustomTime = time.UnixMilli(end).UTC()
	}
	w.CRC32C, w.SendCRC32C = crc32.Checksum(body, castagnoli), true
	_, _ = w.Write(body) // Close returns its error, or the response that explains it
	if err = w.Close(); err == nil {
		generation = w.Attrs().Generation
		err = checkGeneration(generation)
	}
	switch {
	case err == nil:
		o.b.bucketSeen.Store(true)
		return generation, nil
	case status(err) == http.StatusNotFound:
		o.b.bucketSeen.Store(false)
		err = o.b.noBucket(err)
	}
	return 0, err
}

// customTime returns the time after which a lifecycle rule may remove the object, 0 for
// never. To Flask-Caching it is the expiry time, so that a lease is absent.
func (b *Backend) customTime(c content) int64 {
	if b.options.Flask {
		return c.expires
	}
	return cmp.Or(c.lease, c.expires)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
