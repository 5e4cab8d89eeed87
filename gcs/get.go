package gcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
)

// read returns the bytes of an object, unless it has expired, and what else is
// known of it.
func (b *Backend) read(ctx context.Context, o *storage.ObjectHandle) (value []byte, e entry, there bool, err error) {
	err = b.do(ctx, read, func(ctx context.Context) (err error) {
		if b.direct != nil {
			value, e, err = b.direct.get(ctx, o.ObjectName())
		} else {
			value, e, err = getByClient(ctx, o)
		}
		return err
	})
	there, err = b.isThere(ctx, err)
	return value, e, there, err
}

// headerMeta is before the name of user metadata in an answer with the bytes.
const headerMeta = "X-Goog-Meta-"

func (d *direct) get(ctx context.Context, name string) ([]byte, entry, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.objects+url.PathEscape(name), nil)
	if err != nil {
		return nil, entry{}, err
	}
	req.Header.Set("Accept-Encoding", "gzip") // or what is stored compressed is not sent as it is
	res, err := d.http.Do(req)
	if err != nil {
		return nil, entry{}, err
	}
	defer res.Body.Close()
	if err := googleapi.CheckResponse(res); err != nil {
		return nil, entry{}, err
	}
	generation, err := strconv.ParseInt(res.Header.Get("X-Goog-Generation"), 10, 64)
	if err != nil {
		return nil, entry{}, fmt.Errorf("the generation of the object: %w", err)
	}
	metadata := map[string]string{}
	for _, meta := range []string{metaExpires, metaToken} {
		if text := res.Header.Get(headerMeta + meta); text != "" {
			metadata[meta] = text
		}
	}
	e := entryOf(generation, metadata)
	if e.isExpired() {
		return nil, e, nil
	}
	value, err := content(res.Body, res.ContentLength)
	if err == nil && !matches(value, res.Header.Values("X-Goog-Hash")) {
		err = errors.New("the bytes arrived damaged")
	}
	return value, e, err
}

// matches reports whether value is what the answer has the sum of, if it has one.
func matches(value []byte, hashes []string) bool {
	for _, hash := range strings.Split(strings.Join(hashes, ","), ",") {
		if want, is := strings.CutPrefix(strings.TrimSpace(hash), "crc32c="); is {
			return want == sumText(crc32.Checksum(value, castagnoli))
		}
	}
	return true
}

// getByClient takes a third longer than get of direct, with the server, and half as
// much memory again.
func getByClient(ctx context.Context, o *storage.ObjectHandle) ([]byte, entry, error) {
	r, err := o.ReadCompressed(true).NewReader(ctx)
	if err != nil {
		return nil, entry{}, err
	}
	defer r.Close()
	e := entryOf(r.Attrs.Generation, r.Metadata())
	if !e.ours {
		// Reads by JSON return no metadata. It has to be that of the bytes.
		attrs, err := o.Generation(e.generation).Attrs(ctx)
		if status(err) == http.StatusNotFound {
			return nil, e, errReplaced
		}
		if err != nil {
			return nil, e, err
		}
		e = entryOf(attrs.Generation, attrs.Metadata)
	}
	if e.isExpired() {
		return nil, e, nil
	}
	value, err := content(r, r.Attrs.Size)
	return value, e, err
}

// firstBytes is how much memory is set aside for a value at once, whatever length
// the answer claims.
const firstBytes = 1 << 20

// content reads to the end, which is after size bytes, if that is known.
func content(r io.Reader, size int64) ([]byte, error) {
	first := min(max(size, 0), firstBytes)
	all := bytes.NewBuffer(make([]byte, 0, first+bytes.MinRead)) // room to find the end without growing
	n, err := all.ReadFrom(r)
	if err == nil && size >= 0 && n != size {
		err = fmt.Errorf("%d bytes of %d", n, size)
	}
	return all.Bytes(), err
}
