package memcached

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// Protocol is what is spoken with the servers.
type Protocol int

// The protocols. A server that was started with -S speaks Binary alone; all
// others speak Text, which can do more: see the documentation of the package.
const (
	Text   Protocol = iota // the text protocol with its meta commands
	Binary                 // the binary protocol
)

// Distribution is how a key finds its server. Programs that share entries must
// agree on it, on the names of the servers and on their order.
type Distribution int

// The distributions. Where a server is named n times it gets n shares, except
// with Ketama.
const (
	GoMemcache      Distribution = iota // of github.com/bradfitz/gomemcache
	PythonMemcached                     // of python-memcached
	Ketama                              // of libmemcached and pylibmc with the behavior ketama
	KetamaWeighted                      // the same with ketama_weighted
)

// Options says where the servers are and how to talk to them. The zero value is the
// server at 127.0.0.1:11211. However Options is printed, no secret is shown.
type Options struct {
	// Servers lists "host:port" or paths of unix sockets.
	// Default "127.0.0.1:11211".
	Servers []string

	// Username and Password log in: with Text as a server that was started with
	// -Y expects it, with Binary as one with -S does (SASL PLAIN).
	Username, Password string

	// Protocol is Text or Binary.
	Protocol Protocol

	// TLS turns TLS on.
	TLS *tls.Config

	// Distribution says which key belongs to which server.
	Distribution Distribution

	// Selector takes the place of Servers and Distribution. It may change its
	// servers while it is used. An empty ServerName in TLS becomes their host.
	Selector memcache.ServerSelector

	// Spread stores values that are too large for one item over several, up to
	// MaxChunks items of ChunkSize bytes. Keys are then limited to 222 bytes.
	Spread    bool
	ChunkSize int // default: as large as an item can be
	MaxChunks int // default 32, at most 9999

	// MaxItemSize is what the servers were started with as -I, default 1 MiB. The
	// largest value is 512 bytes smaller: the server counts key and header, too.
	MaxItemSize int

	PoolSize     int           // connections per server, default 16
	DialTimeout  time.Duration // of one connection, with TLS and login, default 5 s
	ReadTimeout  time.Duration // of one answer, default 3 s
	WriteTimeout time.Duration // of sending one request, default 3 s

	// AllowFlush lets Clear without a prefix empty the servers, whoever wrote to
	// them. Without it such a Clear is refused.
	AllowFlush bool
}

const (
	defaultServer      = "127.0.0.1:11211"
	defaultMaxItemSize = 1 << 20
	defaultMaxChunks   = 32
	defaultPoolSize    = 16
	defaultDialTimeout = 5 * time.Second
	defaultTimeout     = 3 * time.Second

	// itemOverhead is kept free in every item for the key (250 bytes at most) and
	// for the server's header, which is 64 bytes with 1.6.
	itemOverhead = 512
	// mostChunks fits the digits at the end of a chunk's key.
	mostChunks = 9999
	// mostItemSize is the largest -I that a server accepts.
	mostItemSize = 1 << 30
)

// resolved returns o with its defaults, or all that is wrong with it.
func (o Options) resolved() (Options, error) {
	errs := o.mistakes()
	setDefault(&o.MaxItemSize, defaultMaxItemSize)
	setDefault(&o.ChunkSize, o.maxValue())
	setDefault(&o.MaxChunks, defaultMaxChunks)
	setDefault(&o.PoolSize, defaultPoolSize)
	setDefault(&o.DialTimeout, defaultDialTimeout)
	setDefault(&o.ReadTimeout, defaultTimeout)
	setDefault(&o.WriteTimeout, defaultTimeout)
	if len(o.Servers) == 0 {
		o.Servers = []string{defaultServer}
	}
	if o.ChunkSize > o.maxValue() {
		errs = append(errs, fmt.Errorf("ChunkSize: %d is more than an item holds, %d", o.ChunkSize, o.maxValue()))
	}
	return o, errors.Join(errs...)
}

func setDefault[T int | time.Duration](option *T, def T) {
	if *option == 0 {
		*option = def
	}
}

// maxValue is the largest value of one item.
func (o Options) maxValue() int { return o.MaxItemSize - itemOverhead }

func (o Options) mistakes() (errs []error) {
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(o.Selector != nil && (len(o.Servers) > 0 || o.Distribution != GoMemcache),
		"Selector takes the place of Servers and Distribution: give either")
	wrong(o.Protocol != Text && o.Protocol != Binary, "Protocol: %d is neither Text nor Binary", o.Protocol)
	wrong(o.Distribution < GoMemcache || o.Distribution > KetamaWeighted, "Distribution: there is no %d", o.Distribution)
	wrong(o.Username == "" && o.Password != "", "Password: of no use without Username")
	wrong(o.Protocol == Text && strings.ContainsAny(o.Username, " \t\r\n\x00"),
		"Username: text login cannot send one with blanks or control characters")
	wrong(o.Protocol == Text && strings.ContainsAny(o.Password, "\r\n\x00"),
		"Password: text login cannot send one with control characters")
	wrong(o.Protocol == Binary && strings.Contains(o.Username+o.Password, "\x00"),
		"Username and Password: SASL PLAIN cannot send a zero byte")
	wrong(!o.Spread && (o.ChunkSize != 0 || o.MaxChunks != 0), "ChunkSize and MaxChunks are of no use without Spread")
	wrong(o.MaxChunks > mostChunks, "MaxChunks: %d is more than %d", o.MaxChunks, mostChunks)
	wrong(o.MaxItemSize != 0 && o.MaxItemSize < 1024 || o.MaxItemSize > mostItemSize,
		"MaxItemSize: %d is not between 1024 and %d", o.MaxItemSize, mostItemSize)
	for name, n := range map[string]int{"ChunkSize": o.ChunkSize, "MaxChunks": o.MaxChunks, "PoolSize": o.PoolSize} {
		wrong(n < 0, "%s: %d is negative", name, n)
	}
	for name, d := range map[string]time.Duration{"DialTimeout": o.DialTimeout, "ReadTimeout": o.ReadTimeout, "WriteTimeout": o.WriteTimeout} {
		wrong(d < 0, "%s: %v is negative", name, d)
	}
	for _, server := range o.Servers {
		if isPath(server) {
			continue
		}
		_, port, err := net.SplitHostPort(server)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		wrong(err != nil && isURL(server), "Servers: not host:port but a URL") // there may be a password in it
		wrong(err != nil && !isURL(server), "Servers: %q is not host:port", server)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

func isPath(addr string) bool { return strings.HasPrefix(addr, "/") }

func isURL(addr string) bool { return strings.ContainsAny(addr, "@/") }

// exposed returns a server to which the password would travel readable for others.
func (o Options) exposed() (addr string, is bool) {
	if o.TLS != nil || o.Username == "" {
		return "", false
	}
	if o.Selector != nil {
		_ = o.Selector.Each(func(a net.Addr) error {
			if !isLocal(a.String()) {
				addr, is = a.String(), true
			}
			return nil
		})
		return addr, is
	}
	for _, server := range o.Servers {
		if !isLocal(server) {
			return server, true
		}
	}
	return "", false
}

func isLocal(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err != nil || host == "" || host == "localhost" || net.ParseIP(host).IsLoopback()
}

// withoutSecret takes the credentials out of o, for a backend may be printed: no
// verb of fmt looks into a function.
func (o Options) withoutSecret() (Options, func() (username, password string)) {
	if o.Username == "" {
		return o, nil
	}
	username, password := o.Username, o.Password
	o.Username, o.Password = "", ""
	return o, func() (string, string) { return username, password }
}

// String names the servers.
func (o Options) String() string {
	switch {
	case o.Selector != nil:
		return "memcached by selector"
	case len(o.Servers) == 0:
		return "memcached " + defaultServer
	}
	return "memcached " + strings.Join(o.Servers, ",")
}

// Format prints what String returns, whatever the verb.
func (o Options) Format(f fmt.State, _ rune) { fmt.Fprint(f, o.String()) }

// LogValue logs what String returns.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalJSON writes what String returns.
func (o Options) MarshalJSON() ([]byte, error) { return json.Marshal(o.String()) }
