package uwsgi

import (
	"bytes"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// entry is the server's reply to a get.
type entry struct {
	found   bool
	value   []byte
	expires int64 // unix second; 0 never expires
}

// ttl returns the remaining TTL, 0 if the entry never expires, and whether the entry is
// present. It checks the expiry time, because the server serves expired entries.
func (e entry) ttl() (ttl time.Duration, ok bool) {
	if e.expires == 0 {
		return 0, e.found
	}
	ttl = time.Until(time.Unix(e.expires, 0).Add(clockTick))
	return max(ttl, 0), ttl > 0
}

func (e entry) isAlive() bool {
	_, ok := e.ttl()
	return ok
}

// equals reports whether both have the same value and expiry time.
func (e entry) equals(other entry) bool {
	return e.expires == other.expires && bytes.Equal(e.value, other.value)
}

// clockTick is how far the server's clock of whole seconds may lag behind: the
// system updates that clock once per timer tick.
const clockTick = 10 * time.Millisecond

// isFrom reports whether the expiry time is that of r, sent not before the unix
// second start.
func (e entry) isFrom(r request, start int64) bool {
	if r.seconds == 0 {
		return e.expires == 0
	}
	return e.expires >= start+r.seconds && e.expires <= time.Now().Unix()+r.seconds
}

// seconds returns the TTL to send. The server adds it to the current second of its
// clock, which has begun already, so one second is added. 0 never expires.
func seconds(ttl time.Duration) int64 {
	if ttl == 0 {
		return 0
	}
	return driver.RoundUp(ttl, time.Second) + 1
}

// escape returns value in a form that the server can store. The server refuses an
// empty value, so values without any byte but NUL get one NUL more. All others are
// unchanged and so are shared with other programs byte for byte.
func escape(value []byte) []byte {
	if !isBlank(value) {
		return value
	}
	return make([]byte, len(value)+1)
}

// unescape reverses escape.
func unescape(value []byte) []byte {
	if !isBlank(value) {
		return value
	}
	return value[:max(len(value), 1)-1]
}

func isBlank(value []byte) bool { return len(bytes.TrimLeft(value, "\x00")) == 0 }
