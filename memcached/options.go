package memcached

import (
	"crypto/tls"
	"encoding"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// Options configures a Backend. In every field zero means the default.
type Options struct {
	// Servers lists "host:port" or paths of unix sockets. A host name is one server.
	Servers []string `setting:"CACHE_MEMCACHED_SERVERS" default:"127.0.0.1:11211" help:"servers, host:port or paths of unix sockets; or a *memcache.Client, which Close does not close"`

	// Username and Password log in: with Text as a server with -Y expects, with Binary by
	// SASL PLAIN, as a server with -S expects.
	Username string        `setting:"CACHE_MEMCACHED_USERNAME" verbatim:"true" help:"user name of the login"`
	Password driver.Secret `setting:"CACHE_MEMCACHED_PASSWORD" help:"password of the login"`

	// Protocol is Text or Binary.
	Protocol Protocol `option:"protocol" default:"text" help:"text or binary; if a login is set and the type is not memcached, the default is binary"`

	// TLS turns TLS on.
	TLS *tls.Config

	// Distribution maps keys to servers.
	Distribution Distribution `option:"distribution" default:"gomemcache" help:"how keys are distributed to servers: gomemcache, python_memcached, pylibmc, ketama or ketama_weighted"`

	// Selector replaces Servers and Distribution. Its servers may change at any time. An
	// empty ServerName in TLS becomes their host.
	Selector memcache.ServerSelector

	// Spread stores a value that is too large for one item in up to MaxChunks items of
	// ChunkSize bytes. Keys are then limited to 222 bytes. The default ChunkSize is the
	// largest value of an item. With Flask, the items are those of Flask-Caching's
	// SpreadSASLMemcachedCache: at most 32, keys of 247 bytes, and the default ChunkSize is
	// that of Flask.
	Spread    bool `option:"spread" help:"store large values in several items; the default is true for the type spreadsaslmemcached"`
	ChunkSize int  `option:"chunk_size" min:"1" help:"bytes per item of a large value; the default is the largest value of an item"`
	MaxChunks int  `option:"max_chunks" default:"32" min:"1" max:"9999" help:"maximum number of items per large value"`

	// MaxItemSize is the -I of the servers. The largest value is 512 bytes smaller,
	// because the server counts key and header as well.
	MaxItemSize int `option:"max_item_size" default:"1048576" min:"1024" max:"1073741824" help:"maximum bytes per item, the -I of the servers"`

	PoolSize     int           `option:"pool_size" default:"16" min:"1" help:"maximum number of connections per server"`
	DialTimeout  time.Duration `option:"dial_timeout" default:"5s" min:"1ms" help:"timeout of opening a connection, including TLS and login"`
	ReadTimeout  time.Duration `option:"read_timeout" default:"3s" min:"1ms" help:"timeout of one reply, and of waiting for a connection"`
	WriteTimeout time.Duration `option:"write_timeout" default:"3s" min:"1ms" help:"timeout of sending one request"`

	// Flask stores values as Flask-Caching does, to share entries with a Flask program: see
	// the documentation of the package. Every value must be a pickle or the decimal text of
	// an integer, as flask.Codec of module flask writes them. The default Distribution is
	// then Pylibmc.
	Flask bool `setting:"CACHE_FLASK" help:"keys, values and placement as Flask-Caching stores them"`

	// AllowFlush permits Clear without a prefix, which empties the servers, including the
	// entries of other programs.
	AllowFlush bool `setting:"CACHE_ALLOW_FLUSH" help:"permit Clear without a prefix, which empties the servers"`
}

// Protocol is the protocol of the servers. Its text form is "text" or "binary".
type Protocol int

// The protocols. A server that was started with -S supports only Binary. All others
// support Text, which can do more: see the documentation of the package.
const (
	Text   Protocol = iota // the text protocol with its meta commands
	Binary                 // the binary protocol
)

var protocols = map[string]Protocol{"text": Text, "binary": Binary}

// UnmarshalText sets p to the protocol with that name.
func (p *Protocol) UnmarshalText(text []byte) error { return choose(p, text, protocols) }

// Distribution maps keys to servers. Programs that share entries must have the same
// Distribution and the same list of servers, in the same order. Its text form is
// "gomemcache", "python_memcached", "pylibmc", "ketama" or "ketama_weighted".
type Distribution int

// The distributions. A server that is listed n times has the weight n, except with
// Ketama.
const (
	GoMemcache      Distribution = iota // of github.com/bradfitz/gomemcache
	PythonMemcached                     // of python-memcached
	Ketama                              // of libmemcached and pylibmc with the behavior ketama
	KetamaWeighted                      // of the same with ketama_weighted
	Pylibmc                             // of the same without behaviors, as Flask-Caching uses pylibmc
)

var distributions = map[string]Distribution{
	"gomemcache": GoMemcache, "python_memcached": PythonMemcached, "pylibmc": Pylibmc, "ketama": Ketama, "ketama_weighted": KetamaWeighted,
}

var selectors = [...]func(servers []string) memcache.ServerSelector{
	GoMemcache: wire.GoMemcache, PythonMemcached: wire.PythonMemcached, Pylibmc: wire.Pylibmc, Ketama: wire.Ketama, KetamaWeighted: wire.KetamaWeighted,
}

// UnmarshalText sets d to the distribution with that name.
func (d *Distribution) UnmarshalText(text []byte) error { return choose(d, text, distributions) }

var _, _ encoding.TextUnmarshaler = (*Protocol)(nil), (*Distribution)(nil)

func choose[T any](target *T, text []byte, names map[string]T) error {
	value, ok := names[string(text)]
	if !ok {
		return fmt.Errorf("not one of %s", strings.Join(slices.Sorted(maps.Keys(names)), ", "))
	}
	*target = value
	return nil
}

const (
	// itemOverhead is left free in every item for the key (at most 250 bytes) and for the
	// server's header, which takes 64 bytes in version 1.6.
	itemOverhead = 512

	defaultMaxItemSize = 1 << 20
)

// Validate checks the fields that depend on each other. [New] calls it.
func (o Options) Validate(p *driver.Problems) {
	p.Exclusive("Selector", "Servers", "Distribution")
	p.Requires("Password", "Username")
	p.Requires("ChunkSize", "Spread")
	p.Requires("MaxChunks", "Spread")
	for _, server := range o.Servers {
		if err := remote.CheckAddr(server, true); err != nil {
			p.Add("Servers", "%w", err)
		}
	}
	if o.Protocol != Text && o.Protocol != Binary {
		p.Add("Protocol", "%d is unknown", o.Protocol)
	}
	if o.Distribution < 0 || int(o.Distribution) >= len(selectors) {
		p.Add("Distribution", "%d is unknown", o.Distribution)
	}
	password := o.Password.Reveal()
	switch { // whether the protocol can transmit user and password
	case o.Protocol == Binary && strings.Contains(o.Username+password, "\x00"):
		p.Add("Password", "SASL PLAIN does not support a NUL byte in user or password")
	case o.Protocol == Text && strings.ContainsAny(o.Username, " \t\r\n\x00"):
		p.Add("Username", "the text login supports neither spaces nor control characters")
	case o.Protocol == Text && strings.ContainsAny(password, "\r\n\x00"):
		p.Add("Password", "the text login does not support control characters")
	}
	if o.MaxItemSize == 0 {
		o.MaxItemSize = defaultMaxItemSize
	}
	if limit := o.maxValue(); limit > 0 && o.ChunkSize > limit && !o.Flask {
		p.Add("ChunkSize", "%d is too large: an item has room for %d", o.ChunkSize, limit)
	}
	if o.Flask && o.MaxChunks > maxPieces {
		p.Add("MaxChunks", "%d is too large: Flask reads %d", o.MaxChunks, maxPieces)
	}
}

// complete returns o with its defaults.
func (o Options) complete() (Options, error) {
	if err := driver.Complete(&o); err != nil {
		return o, fmt.Errorf("memcached: %w", err)
	}
	switch {
	case o.ChunkSize != 0:
	case o.Flask:
		o.ChunkSize = pieceSize
	default:
		o.ChunkSize = o.maxValue()
	}
	if o.Flask && o.Distribution == GoMemcache {
		o.Distribution = Pylibmc
	}
	return o, nil
}

// maxValue is the largest value of one item.
func (o Options) maxValue() int { return o.MaxItemSize - itemOverhead }

// spreadLimit is the largest value that is stored in chunks.
func (o Options) spreadLimit() int {
	return int(min(int64(o.ChunkSize)*int64(o.MaxChunks), math.MaxInt))
}

// wire is the configuration of the client.
func (o Options) wire() wire.Config {
	return wire.Config{
		Selector: o.selector(), Binary: o.Protocol == Binary, TLS: o.TLS, Username: o.Username, Password: o.Password,
		MaxItemSize: o.MaxItemSize, PoolSize: o.PoolSize,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
	}
}

// selector picks the server of a key.
func (o Options) selector() memcache.ServerSelector {
	if o.Selector != nil {
		return o.Selector
	}
	return selectors[o.Distribution](o.Servers)
}

// unprotected returns a remote server that would receive the password in clear text.
func (o Options) unprotected() (addr string, found bool) {
	if o.TLS != nil || o.Username == "" {
		return "", false
	}
	_ = o.selector().Each(func(a net.Addr) error {
		if !found && !remote.IsLocal(a.String()) {
			addr, found = a.String(), true
		}
		return nil
	})
	return addr, found
}
