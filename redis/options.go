package redis

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
)

// Options says where the store is and how to talk to it. The zero value is the
// server at localhost:6379. However Options is printed, no secret is shown.
type Options struct {
	// Addr is one server: "host:port", or the path of a unix socket.
	// Default "localhost:6379".
	Addr string

	// URL names one server in place of Addr, Username, Password and DB:
	//
	//	redis://user:password@host:6379/0
	//	rediss://host:6380                      the same over TLS
	//	unix://user:password@/path/to.sock?db=0
	URL string

	// Cluster lists nodes of a cluster, "host:port". One suffices, the others
	// are found out; with several, one of them may be down at the start.
	Cluster []string

	// Sentinels lists sentinels, "host:port", which know the address of the
	// primary called SentinelMaster (default "mymaster"). Their credentials are
	// not those of the servers.
	Sentinels        []string
	SentinelMaster   string
	SentinelUsername string
	SentinelPassword string

	Username string // ACL user; empty for the default user
	Password string
	DB       int // number of the database; a cluster has only 0

	// TLS turns TLS on. With URL it refines what rediss:// implies.
	TLS *tls.Config

	PoolSize     int           // connections per server, default 10 per CPU (cluster: 5)
	MinIdleConns int           // connections kept ready per server, default 0
	DialTimeout  time.Duration // of one connection, default 5 s
	ReadTimeout  time.Duration // of one answer, default 3 s
	WriteTimeout time.Duration // of sending one command, default 3 s

	// ReadFromReplicas sends reads to the replicas of a cluster or of sentinels.
	// What has just been written may then not be found, for a second or more.
	ReadFromReplicas bool

	// NoAutoPipeline gives every call a round trip of its own, however many there
	// are at a time. See the documentation of the package. Hooks of a borrowed
	// client, such as those of tracing, then see every call with its context, not
	// pipelines without one.
	NoAutoPipeline bool

	// ClientSideCache keeps up to so many values in the memory of this process
	// (0, the default: none) until the server says that they have changed: a hit
	// costs 1 us in place of a round trip. Its price: for some milliseconds, in
	// bad times up to a second, an old value may be read, even by who has just
	// written a new one. One server with DB 0 only; experimental in the driver.
	ClientSideCache int

	// AllowFlush lets Clear without a prefix empty the whole database, whoever
	// wrote to it. Without it such a Clear is refused.
	AllowFlush bool
}

const (
	defaultAddr    = "localhost:6379"
	defaultMaster  = "mymaster"
	defaultTimeout = 3 * time.Second

	defaultDialTimeout = 5 * time.Second
)

// resolved returns o with defaults and the parts of the URL filled in, or all that
// is wrong with it.
func (o Options) resolved() (Options, error) {
	errs := o.mistakes()
	if o.URL != "" {
		server, err := parseURL(o.URL)
		if err != nil {
			errs = append(errs, fmt.Errorf("URL: %w", err))
		}
		o.Addr, o.Username, o.Password, o.DB = server.addr, server.username, server.password, server.db
		if server.tls && o.TLS == nil {
			o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	if o.ClientSideCache != 0 && o.DB != 0 {
		errs = append(errs, fmt.Errorf("ClientSideCache needs DB 0, not %d", o.DB))
	}
	if o.Addr == "" {
		o.Addr = defaultAddr
	}
	if o.SentinelMaster == "" {
		o.SentinelMaster = defaultMaster
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = defaultDialTimeout
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = defaultTimeout
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = defaultTimeout
	}
	return o, errors.Join(errs...)
}

func (o Options) mistakes() (errs []error) {
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	oneServer := len(o.Cluster) == 0 && len(o.Sentinels) == 0
	wrong(o.URL != "" && (o.Addr != "" || o.Username != "" || o.Password != "" || o.DB != 0),
		"URL takes the place of Addr, Username, Password and DB: give either")
	wrong(!oneServer && (o.Addr != "" || o.URL != ""), "Addr and URL name one server: not with Cluster or Sentinels")
	wrong(len(o.Cluster) > 0 && len(o.Sentinels) > 0, "Cluster and Sentinels exclude each other")
	wrong(len(o.Sentinels) == 0 && (o.SentinelMaster != "" || o.SentinelUsername != "" || o.SentinelPassword != ""),
		"Sentinels is missing: SentinelMaster, SentinelUsername and SentinelPassword are of no use without it")
	wrong(len(o.Cluster) > 0 && o.DB != 0, "DB: a cluster has no database %d, only 0", o.DB)
	wrong(o.DB < 0, "DB: %d is negative", o.DB)
	wrong(oneServer && o.ReadFromReplicas, "ReadFromReplicas needs Cluster or Sentinels")
	wrong(o.ClientSideCache != 0 && !oneServer, "ClientSideCache needs one server")
	for name, n := range map[string]int{"PoolSize": o.PoolSize, "MinIdleConns": o.MinIdleConns, "ClientSideCache": o.ClientSideCache} {
		wrong(n < 0, "%s: %d is negative", name, n)
	}
	for name, d := range map[string]time.Duration{"DialTimeout": o.DialTimeout, "ReadTimeout": o.ReadTimeout, "WriteTimeout": o.WriteTimeout} {
		wrong(d < 0, "%s: %v is negative", name, d)
	}
	for name, addrs := range map[string][]string{"Addr": {o.Addr}, "Cluster": o.Cluster, "Sentinels": o.Sentinels} {
		for _, addr := range addrs {
			if name == "Addr" && (addr == "" || isPath(addr)) {
				continue
			}
			_, port, err := net.SplitHostPort(addr)
			if err == nil {
				_, err = strconv.ParseUint(port, 10, 16)
			}
			wrong(err != nil && isURL(addr), "%s: not host:port but a URL", name) // there may be a password in it
			wrong(err != nil && !isURL(addr), "%s: %q is not host:port", name, addr)
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

func isPath(addr string) bool { return strings.HasPrefix(addr, "/") }

func isURL(addr string) bool { return strings.ContainsAny(addr, "@/") }

// addrs are the servers that are asked first.
func (o Options) addrs() []string {
	switch {
	case len(o.Cluster) > 0:
		return o.Cluster
	case len(o.Sentinels) > 0:
		return o.Sentinels
	}
	return []string{o.Addr}
}

// exposed returns a server to which a password would travel readable for others.
func (o Options) exposed() (addr string, is bool) {
	if o.TLS != nil || o.Password == "" && o.SentinelPassword == "" {
		return "", false
	}
	for _, addr := range o.addrs() {
		host, _, err := net.SplitHostPort(addr)
		if err != nil || host == "" || host == "localhost" || net.ParseIP(host).IsLoopback() {
			continue
		}
		return addr, true
	}
	return "", false
}

// String names the servers.
func (o Options) String() string {
	kind := "redis "
	switch {
	case len(o.Cluster) > 0:
		kind = "redis cluster "
	case len(o.Sentinels) > 0:
		kind = "redis sentinels "
	case o.URL != "":
		server, err := parseURL(o.URL)
		if err != nil {
			return kind + "(bad URL)"
		}
		return kind + server.addr
	case o.Addr == "":
		return kind + defaultAddr
	}
	return kind + strings.Join(o.addrs(), ",")
}

// Format prints what String returns, whatever the verb.
func (o Options) Format(f fmt.State, _ rune) { fmt.Fprint(f, o.String()) }

// LogValue logs what String returns.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalJSON writes what String returns.
func (o Options) MarshalJSON() ([]byte, error) { return json.Marshal(o.String()) }
