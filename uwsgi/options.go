package uwsgi

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Options locates the cache and states its limits. The zero value is the first cache
// of the server at 127.0.0.1:3031, with the default limits of uWSGI.
type Options struct {
	// Addr is the server's uwsgi socket: "host:port" or the path of a unix socket.
	// Default "127.0.0.1:3031".
	Addr string

	// Cache is the name of the cache (--cache2 name=...). Empty is the server's first.
	Cache string

	// FirstCache states that Cache is the first cache of the server. Clear requires
	// it, because the server can clear only its first cache: for another one it
	// reports success and clears a part of it, or crashes.
	FirstCache bool

	// AllowFlush permits Clear without a prefix, which removes the entries of all
	// programs.
	AllowFlush bool

	// MaxKey is the maximum length of a key in bytes: the keysize of the cache.
	// Default 2048.
	MaxKey int

	// MaxValue is the maximum length of a value in bytes: the blocksize of the cache.
	// A value of only NUL bytes needs one byte more. Default 65536.
	MaxValue int

	// BufferSize is the server's buffer-size. The key and about 100 bytes more must
	// fit in it. Default 4096, at most 65535.
	BufferSize int

	// PoolSize is the maximum number of open connections, and the number of keys of a
	// batch that are requested at a time. Each connection occupies a thread of the
	// server or a place in its listen queue (100). Default 16.
	PoolSize int

	DialTimeout  time.Duration // limit for a connection, including the wait for a free one; default 5 s
	ReadTimeout  time.Duration // limit for the reply; default 3 s
	WriteTimeout time.Duration // limit for sending the request; default 3 s
}

// resolved returns o with defaults, or an error that names every invalid field.
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
	wrong(strings.Contains(o.Cache, "@"), "Cache: %q contains @", o.Cache)
	wrong(o.MaxKey < 0, "MaxKey: %d is negative", o.MaxKey)
	wrong(o.MaxValue < 0, "MaxValue: %d is negative", o.MaxValue)
	wrong(o.BufferSize > maxBufferSize, "BufferSize: %d is more than %d", o.BufferSize, maxBufferSize)
	wrong(o.maxKey() <= 0, "BufferSize: %d has no room for a key", o.BufferSize)
	wrong(o.PoolSize < 0, "PoolSize: %d is negative", o.PoolSize)
	wrong(o.DialTimeout < 0, "DialTimeout: %v is negative", o.DialTimeout)
	wrong(o.ReadTimeout < 0, "ReadTimeout: %v is negative", o.ReadTimeout)
	wrong(o.WriteTimeout < 0, "WriteTimeout: %v is negative", o.WriteTimeout)
	return o, errors.Join(errs...)
}

const maxBufferSize = 1<<16 - 1 // the protocol has 16-bit lengths

func (o Options) withDefaults() Options {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:3031"
	}
	for option, def := range map[*int]int{&o.MaxKey: 2048, &o.MaxValue: 1 << 16, &o.BufferSize: 4096, &o.PoolSize: 16} {
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
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 3 * time.Second
	}
	return o
}

// maxKey returns the maximum length of a key that the cache accepts and that fits in
// a request.
func (o Options) maxKey() int { return min(o.MaxKey, o.BufferSize-overhead(o.Cache)) }

func isPath(addr string) bool { return strings.HasPrefix(addr, "/") }
