package redis

import (
	"bytes"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// flaskMark is what Flask-Caching stores before a pickle.
const flaskMark = '!'

// stored returns value as it is stored. With Options.Flask, an integer is stored as its
// text, which INCRBY counts, and every other value after a mark.
func (b *Backend) stored(value []byte) []byte {
	if !b.flask {
		return value
	}
	if _, isInteger := driver.ParseInteger(value); isInteger {
		return value
	}
	return append(append(make([]byte, 0, 1+len(value)), flaskMark), value...)
}

// value returns the value of what is stored, in the same memory if possible. Python reads
// what has no mark and is no integer as bytes, and so do we.
func (b *Backend) value(stored []byte) []byte {
	if !b.flask {
		return stored
	}
	if len(stored) > 0 && stored[0] == flaskMark {
		return stored[1:]
	}
	if _, isInteger := driver.ParseInteger(stored); isInteger {
		return stored
	}
	if remote.IsDigits(stored) { // beyond int64, from cachelib 0.15.4
		return remote.PickleInteger(stored)
	}
	return remote.PickleBytes(stored)
}

// storedUnmarked returns "=" and what Python may have stored without a mark, if value is the
// pickle that method value returns of it. Otherwise it returns nothing.
func (b *Backend) storedUnmarked(value []byte) []byte {
	var inner []byte
	switch n := len(value); {
	case !b.flask:
		return nil
	case n >= len("LL\n.") && value[0] == 'L': // of remote.PickleInteger
		inner = value[1 : n-3]
	case n >= len("\x80\x03B1234.") && value[2] == 'B': // of remote.PickleBytes
		inner = value[7 : n-1]
	}
	if !bytes.Equal(b.value(inner), value) {
		return nil
	}
	return append([]byte("="), inner...)
}

// appended returns extended, which is dst with what is stored after it, with the value
// instead.
func (b *Backend) appended(dst, extended []byte) []byte {
	if !b.flask {
		return extended
	}
	return append(extended[:len(dst)], b.value(extended[len(dst):])...)
}
