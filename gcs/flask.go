package gcs

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// Flask-Caching does not store pickles here: it stores JSON as application/json, bytes as
// application/octet-stream, and nothing else. Source: contrib/googlecloudstoragecache.py.

const contentTypeJSON = "application/json"

// metaRaw marks an object whose bytes are the value itself. Python reads it as bytes.
const metaRaw = "cache-raw"

var errNoFlask = fmt.Errorf("%w: Flask (CACHE_FLASK) requires the import of github.com/cachebackends/cachebackends/flask", driver.ErrInvalidSettings)

// body returns the bytes of the object for a value of Flask mode, their type, and whether
// they are the value itself.
func (b *Backend) body(value []byte) (body []byte, contentType string, raw bool) {
	if !b.options.Flask {
		return value, contentTypeBytes, false
	}
	if _, ok := driver.ParseInteger(value); ok {
		return value, contentTypeJSON, false
	}
	if inner, ok := pickledBytes(value); ok {
		return inner, contentTypeBytes, false
	}
	if text, ok := b.json.FromPickle(value); ok {
		return text, contentTypeJSON, false
	}
	return value, contentTypeBytes, true
}

// value reverses body. Malformed JSON is returned as it is, and is damage for the codec.
func (b *Backend) value(body []byte, contentType string, raw bool) []byte {
	switch {
	case !b.options.Flask || raw:
		return body
	case contentType != contentTypeJSON:
		return remote.PickleBytes(body)
	}
	if _, ok := driver.ParseInteger(body); ok {
		return body
	}
	if pickle, err := b.json.ToPickle(body); err == nil {
		return pickle
	}
	return body
}

// pickledBytes returns the bytes in a pickle of Python's type bytes: that of package flask
// and of remote.PickleBytes.
func pickledBytes(pickle []byte) (inner []byte, ok bool) {
	if len(pickle) < 5 || pickle[0] != 0x80 || pickle[1] < 3 || pickle[len(pickle)-1] != '.' {
		return nil, false
	}
	op, rest := pickle[2], pickle[3:len(pickle)-1]
	switch {
	case op == 'C':
		return rest[1:], int(rest[0]) == len(rest)-1
	case op == 'B' && len(rest) >= 4:
		return rest[4:], uint64(binary.LittleEndian.Uint32(rest)) == uint64(len(rest)-4)
	}
	return nil, false
}

// same reports whether two values have the same object: a value that was read may be
// another pickle of what was stored.
func (b *Backend) same(x, y []byte) bool {
	if !b.options.Flask || bytes.Equal(x, y) {
		return bytes.Equal(x, y)
	}
	xBody, xType, xRaw := b.body(x)
	yBody, yType, yRaw := b.body(y)
	return xType == yType && xRaw == yRaw && bytes.Equal(xBody, yBody)
}
