package memcached

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// The flags of pylibmc and python-memcached, with which Flask-Caching stores values.
const (
	flagBytes  = 0
	flagPickle = 1 << 0
	flagBool   = 1 << 1 // of pylibmc, which reads it as an int; an int of python-memcached
	flagInt    = 1 << 2
	flagZlib   = 1 << 3
	flagText   = 1 << 4
)

// flagsOf returns the flags to store value with.
func (b *Backend) flagsOf(value []byte) uint32 {
	if !b.options.Flask {
		return flagsOf(value)
	}
	if _, isInteger := driver.ParseInteger(value); isInteger {
		return flagInt
	}
	return flagPickle
}

// value returns the value of an item as it was stored. With Options.Flask, what Python
// stored without pickle becomes a pickle, except integers that Inc counts.
func (b *Backend) value(it wire.Item) ([]byte, error) {
	if !b.options.Flask {
		return unpadded(it.Value, it.Flags), nil
	}
	switch it.Flags {
	case flagPickle:
		return it.Value, nil
	case flagBytes:
		return remote.PickleBytes(it.Value), nil
	case flagText:
		return remote.PickleText(it.Value), nil
	case flagInt, flagBool:
		return integerOf(it.Value)
	}
	return nil, errFlags(it.Flags)
}

// integerOf returns the text of an integer without the padding of the server, and as a
// pickle if it is out of the range of int64.
func integerOf(text []byte) ([]byte, error) {
	text = bytes.TrimRight(text, " ")
	if _, ok := driver.ParseInteger(text); ok {
		return text, nil
	}
	if !remote.IsDigits(text) {
		return nil, fmt.Errorf("%w: not the integer that its flags say", driver.ErrCorrupt)
	}
	return remote.PickleInteger(text), nil
}

// errFlags returns the error of a value that Flask-Caching has not stored in this way.
func errFlags(flags uint32) error {
	if flags&flagZlib != 0 {
		return fmt.Errorf("%w: flags %d: compressed by pylibmc, which is not supported", driver.ErrCorrupt, flags)
	}
	return fmt.Errorf("%w: flags %d are not those of a value of Flask-Caching", driver.ErrCorrupt, flags)
}

// isUnreadable reports whether Get returns ErrCorrupt for an item with these flags. Such an
// item is absent for other operations.
func (b *Backend) isUnreadable(flags uint32) bool {
	return b.options.Flask && flags&^(flagPickle|flagBool|flagInt|flagText) != 0
}

// numberIn returns what Inc counts, whatever flags another client stored it with.
func (b *Backend) numberIn(it wire.Item) (n int64, ok bool) {
	switch {
	case !b.options.Flask:
		return driver.ParseInteger(unpadded(it.Value, it.Flags))
	case it.Flags == flagPickle: // also the flag of an integer of PHP
		return driver.ParseInteger(it.Value)
	}
	return driver.ParseInteger(bytes.TrimRight(it.Value, " "))
}

var errFlaskLease = fmt.Errorf("%w: Flask would read the placeholder of a lease as a value", errors.ErrUnsupported)
