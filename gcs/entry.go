package gcs

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	cache "github.com/cachebackends/cachebackends/core"
)

// User metadata of our objects. Reads return it in the form of headers, with
// capital letters.
const (
	metaExpires = "cache-expires" // Unix milliseconds, 0 for never
	metaToken   = "cache-token"   // of the Add or Inc that wrote the object
)

// entry is what is known of an object besides its bytes.
type entry struct {
	generation int64
	expires    int64  // Unix milliseconds, 0 for never
	token      string // of the Add or Inc that wrote it
	ours       bool   // has our metadata
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

// ttl returns the remaining life, 0 for ever.
func (e entry) ttl() time.Duration {
	if e.expires == 0 {
		return 0
	}
	return max(time.Until(time.UnixMilli(e.expires)), 1)
}

// expiresAt returns when a life of ttl from now is over, in Unix milliseconds, rounded up.
func expiresAt(ttl time.Duration) int64 {
	if ttl == 0 {
		return 0
	}
	end := time.Now().Add(ttl)
	ms := end.UnixMilli()
	if end.Nanosecond()%int(time.Millisecond) > 0 {
		ms++
	}
	return ms
}

// maxName is the longest object name, in bytes.
const maxName = 1024

// checkName refuses what the service does not take as the name of an object:
// https://cloud.google.com/storage/docs/objects#naming
func checkName(name string) error {
	why := ""
	switch {
	case len(name) > maxName:
		why = fmt.Sprintf("%d bytes with its prefix, an object name has at most %d", len(name), maxName)
	case !utf8.ValidString(name):
		why = "not valid UTF-8"
	case strings.ContainsAny(name, "\r\n"):
		why = "an object name has no line ends"
	case name == "." || name == "..":
		why = `no object is called "." or ".."`
	case strings.HasPrefix(name, ".well-known/acme-challenge/"):
		why = "no object name begins with .well-known/acme-challenge/"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", cache.ErrInvalidKey, why)
}
