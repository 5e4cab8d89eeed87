package gcs

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/core/driver"
)

// User metadata of the objects that this package writes. Reads return the names in the
// form of headers, with capital letters.
const (
	metaExpires = "cache-expires" // Unix milliseconds, 0 for never
	metaToken   = "cache-token"   // of the conditional write that stored the object
	metaLease   = "cache-lease"   // only of a lease: its end in Unix milliseconds
)

// entry is what is known of an object besides its bytes. The zero entry is that of a
// key without an object.
type entry struct {
	generation int64
	expires    int64  // Unix milliseconds, 0 for never
	token      string // of the conditional write that stored it
	lease      int64  // end of the lease in Unix milliseconds, 0 if it is none
	ours       bool   // written by this package
	raw        bool   // see metaRaw
}

func entryOf(generation int64, metadata map[string]string) entry {
	e := entry{generation: generation}
	for name, text := range metadata {
		switch {
		case strings.EqualFold(name, metaExpires):
			e.expires, e.ours = parseTime(text), true
		case strings.EqualFold(name, metaLease):
			e.lease = parseTime(text)
		case strings.EqualFold(name, metaRaw):
			e.raw = true
		case strings.EqualFold(name, metaToken):
			e.token = text
		}
	}
	return e
}

// entryFrom returns the entry of an object with these attributes. The expiry time of an
// object that Python wrote is its customTime.
func (b *Backend) entryFrom(attrs *storage.ObjectAttrs) entry {
	e := entryOf(attrs.Generation, attrs.Metadata)
	if b.options.Flask && !e.ours && !attrs.CustomTime.IsZero() {
		e.expires = roundedUp(attrs.CustomTime)
	}
	return e
}

// longPast is the expiry of what is absent by every clock.
const longPast = 1

// parseTime treats what is unreadable as long past.
func parseTime(text string) int64 {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return longPast
	}
	return ms
}

// isLive reports whether there is an entry that has not expired.
func (e entry) isLive() bool {
	return e.generation != 0 && (e.expires == 0 || time.Now().UnixMilli() < e.expires)
}

// ttl returns the remaining TTL, 0 for never.
func (e entry) ttl() time.Duration {
	if e.expires == 0 {
		return 0
	}
	return max(time.Until(time.UnixMilli(e.expires)), 1)
}

// expiresAt returns when a TTL that begins now ends, in Unix milliseconds, rounded up.
func expiresAt(ttl time.Duration) int64 {
	if ttl == 0 {
		return 0
	}
	return roundedUp(time.Now().Add(ttl))
}

func roundedUp(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// maxName is the longest object name, in bytes.
const maxName = 1024

// checkName returns [driver.ErrInvalidKey] for what cannot be the name of an object:
// https://cloud.google.com/storage/docs/objects#naming
func checkName(name string) error {
	why := ""
	switch {
	case len(name) > maxName:
		why = fmt.Sprintf("%d bytes with the prefix: an object name has at most %d", len(name), maxName)
	case !utf8.ValidString(name):
		why = "not valid UTF-8"
	case strings.ContainsAny(name, "\r\n"):
		why = "an object name has no line breaks"
	case name == "." || name == "..":
		why = `an object name is not "." or ".."`
	case strings.HasPrefix(name, ".well-known/acme-challenge/"):
		why = "an object name does not begin with .well-known/acme-challenge/"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", driver.ErrInvalidKey, why)
}
