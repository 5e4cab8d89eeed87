package uwsgi

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Options says where the cache is and what it holds. The zero value is the first
// cache of the server at 127.0.0.1:3031, with the limits that uWSGI has by default.
type Options struct {
	// Addr is the server's uwsgi socket: "host:port", or the path of a unix socket.
	// Default "127.0.0.1:3031".
	Addr string

	// Cache is the name of the cache (--cache2 name=...). Empty: the server's first.
	Cache string

	// FirstCache says that Cache is the first one that the server was started with,
	// and lets Clear empty it, whoever wrote to it. It must be true: told to clear
	// another, the server clears a part of it, or crashes. Without it, Clear is
	// refused.
	FirstCache bool

	// MaxKey is the longest key in bytes: the keysize of the cache. Default 2048.
	MaxKey int

	// MaxValue is the longest value in bytes: the blocksize of the cache. Default
	// 65536. A value of NUL bytes alone needs one more.
	MaxValue int

	// BufferSize is the server's buffer-size, in which the key and about 100 bytes
	// besides must have room. Default 4096, at most 65535.
	BufferSize int

	// MaxConns is how many connections are open at a time, which is also how many
	// keys of a batch are asked for side by side. Each occupies a thread of the
	// server for a moment, or a place in its listen queue (100). Default 16.
	MaxConns int

	DialTimeout time.Duration // of one connection and the wait for one of MaxConns, default 5 s
	ReadTimeout time.Duration // of sending one request and reading its answer, default 3 s
}

// resolved returns o with defaults, or all that is wrong with it.
func (o Options) resolved() (Options, error) {
	o = o.withDefaults()
	var errs []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if !isPath(o.Addr) {
		_, port, err := net.SplitHostPort(o.Addr)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		wrong(err != nil, "Addr: %q is neither host:port nor the path of a unix socket", o.Addr)
	}
	wrong(strings.Contains(o.Cache, "@"), "Cache: %q has an @, which ends the name of a cache", o.Cache)
	wrong(o.MaxKey < 0, "MaxKey: %d is negative", o.MaxKey)
	wrong(o.MaxValue < 0, "MaxValue: %d is negative", o.MaxValue)
	wrong(o.BufferSize > maxBufferSize, "BufferSize: %d is more than %d", o.BufferSize, maxBufferSize)
	wrong(o.longestKey() <= 0, "BufferSize: %d has no room for a key", o.BufferSize)
	wrong(o.MaxConns < 0, "MaxConns: %d is negative", o.MaxConns)
	wrong(o.DialTimeout < 0, "DialTimeout: %v is negative", o.DialTimeout)
	wrong(o.ReadTimeout < 0, "ReadTimeout: %v is negative", o.ReadTimeout)
	return o, errors.Join(errs...)
}

const maxBufferSize = 1<<16 - 1 // the protocol writes lengths in 16 bits

func (o Options) withDefaults() Options {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:3031"
	}
	for option, def := range map[*int]int{&o.MaxKey: 2048, &o.MaxValue: 1 << 16, &o.BufferSize: 4096, &o.MaxConns: 16} {
		if *option == 0 {
			*option = def
		}
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = 5 * time.Second
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = 3 * time.Second
	}
	return o
}

// longestKey is the longest key that the cache takes and that fits into a request.
func (o Options) longestKey() int { return min(o.MaxKey, o.BufferSize-overhead(o.Cache)) }

func isPath(addr string) bool { return strings.HasPrefix(addr, "/") }
