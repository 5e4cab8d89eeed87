package uwsgi

import (
	"cmp"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// Options locates the cache and states its limits. The zero value is the first cache
// of the server at 127.0.0.1:3031, with the default limits of uWSGI.
type Options struct {
	// Addr is the server's uwsgi socket: "host:port" or the path of a unix socket.
	// Default "127.0.0.1:3031".
	Addr string `setting:"CACHE_UWSGI_NAME"`

	// Cache is the name of the cache (--cache2 name=...). Empty is the server's first.
	Cache string

	// AllowFlush permits Clear without a prefix, which removes the entries of all
	// programs.
	AllowFlush bool `setting:"CACHE_ALLOW_FLUSH" default:"false" help:"permits Clear, which removes the entries of all programs"`

	// FirstCache states that Cache is the first cache of the server. Clear requires
	// it, because the server can clear only its first cache: for another one it
	// reports success and clears a part of it, or crashes.
	FirstCache bool `option:"first_cache" default:"false" help:"states that the cache is the first of the server, which Clear requires"`

	// Flask keeps values as Flask-Caching does: an integer, which is decimal text for the
	// callers of a Backend, is the pickle of an int. All other values are unchanged.
	Flask bool `setting:"CACHE_FLASK" help:"keys, values and placement as Flask-Caching stores them"`

	// MaxKey is the maximum length of a key in bytes: the keysize of the cache.
	// Default 2048.
	MaxKey int `option:"max_key" default:"2048" min:"1" help:"the keysize of the cache, in bytes"`

	// MaxValue is the maximum length of a value in bytes: the blocksize of the cache.
	// A value of only NUL bytes needs one byte more. Default 65536.
	MaxValue int `option:"max_value" default:"65536" min:"1" help:"the blocksize of the cache, in bytes"`

	// BufferSize is the server's buffer-size. The key and about 100 bytes more must
	// fit in it. Default 4096, at most 65535 because the protocol has 16-bit lengths.
	BufferSize int `option:"buffer_size" default:"4096" min:"1" max:"65535" help:"the server's buffer-size; a key and 100 bytes must fit in it"`

	// PoolSize is the maximum number of open connections, and the number of keys of a
	// batch that are requested at a time. Each connection occupies a thread of the
	// server or a place in its listen queue (100). Default 16.
	PoolSize int `option:"pool_size" default:"16" min:"1" help:"maximum number of connections, and keys of a batch that are requested at a time"`

	// DialTimeout limits the wait for a free connection together with its dial.
	// Default 5 s.
	DialTimeout time.Duration `option:"dial_timeout" default:"5s" min:"1ms" help:"limit for connecting, including the wait for a free connection"`

	// ReadTimeout limits the wait for the reply to a request. Default 3 s.
	ReadTimeout time.Duration `option:"read_timeout" default:"3s" min:"1ms" help:"limit for reading a reply"`

	// WriteTimeout limits sending a request. Default 3 s.
	WriteTimeout time.Duration `option:"write_timeout" default:"3s" min:"1ms" help:"limit for sending a request"`
}

// Validate reports an invalid address or name, and a buffer without room for a key.
func (o Options) Validate(p *driver.Problems) {
	if o.Addr != "" {
		if err := remote.CheckAddr(o.Addr, true); err != nil {
			p.Add("Addr", "%w", err)
		}
	}
	if strings.Contains(o.Cache, "@") {
		p.Add("Cache", "%q contains @", o.Cache)
	}
	if size := cmp.Or(o.BufferSize, 4096); overhead(o.Cache) >= size {
		p.Add("BufferSize", "%d bytes have no room for a key", size)
	}
}

// maxKey returns the maximum length of a key that the cache accepts and that fits in
// a request.
func (o Options) maxKey() int { return min(o.MaxKey, o.BufferSize-overhead(o.Cache)) }
