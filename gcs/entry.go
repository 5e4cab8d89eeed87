package gcs

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cachebackends/cachebackends/core/driver"
)

// User metadata of the objects that this package writes. Reads return the names in the
// form of headers, with capital letters.
const (
	metaExpires = "cache-expires" // Unix milliseconds, 0 for never
	metaToken   = "cache-token"   // of the Add or Inc that wrote the object
)

// entry is what is known of an object besides its bytes.
type entry struct {
	generation int64
	expires    int64  // Unix milliseconds, 0 for never
	token      string // of the Add or Inc that wrote it
	ours       bool   // written by this package
}

func entryOf(generation int64, metadata map[string]string) entry {
	e := entry{generation: generation}
	for name, text := range metadata {
		switch {
		case strings.EqualFold(name, metaExpires):
			expires, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				expires = 1 // unreadable: treated as expired
			}
			e.expires, e.ours = expires, true
		case strings.EqualFold(name, metaToken):
			e.token = text
		}
	}
	return e
}

func (e entry) isExpired() bool { return e.expires != 0 && time.Now().UnixMilli() >= e.expires }

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
	return time.Now().Add(ttl).Add(time.Millisecond - 1).UnixMilli()
}

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
