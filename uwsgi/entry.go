package uwsgi

import (
	"bytes"
	"time"
)

// entry is what the server answers to a get.
type entry struct {
	found bool
	value []byte
	end   int64 // the unix second with which life is over; 0 never
}

// isAlive also looks at the end, for the server goes on serving what is over.
func (e entry) isAlive() bool { return e.found && (e.end == 0 || e.left() > 0) }

// left is the remaining life, 0 where it never ends.
func (e entry) left() time.Duration {
	if e.end == 0 {
		return 0
	}
	return time.Until(time.Unix(e.end, 0).Add(clockTick))
}

// clockTick is how much the server's clock, which it reads in whole seconds, may
// lag behind: the system sets that one with each of its ticks.
const clockTick = 10 * time.Millisecond

// isOf reports whether the end is that of r, sent not before the second begin.
func (e entry) isOf(r request, begin int64) bool {
	if r.seconds == 0 {
		return e.end == 0
	}
	return e.end >= begin+r.seconds && e.end <= time.Now().Unix()+r.seconds
}

// seconds is what the server is told of a life: it adds them to the begun second
// that its clock is in, so one more is needed. 0 never ends.
func seconds(ttl time.Duration) int64 {
	if ttl == 0 {
		return 0
	}
	s := int64(ttl / time.Second)
	if ttl%time.Second > 0 {
		s++
	}
	return s + 1
}

// escape makes of value what the server can hold, which is anything but nothing:
// a value without any byte but NUL gets one more. The others, which are all that
// other programs store if they do not store such ones, stay as they are.
func escape(value []byte) []byte {
	if !isBlank(value) {
		return value
	}
	return make([]byte, len(value)+1)
}

// unescape undoes escape.
func unescape(value []byte) []byte {
	if !isBlank(value) {
		return value
	}
	return value[:max(len(value), 1)-1]
}

func isBlank(value []byte) bool { return len(bytes.TrimLeft(value, "\x00")) == 0 }
