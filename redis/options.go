package redis

import (
	"crypto/tls"
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// Options configures a Backend. In every field zero means the default.
type Options struct {
	// Addr is one server: "host:port", or the path of a unix socket.
	Addr string `setting:"CACHE_REDIS_HOST" default:"localhost:6379" help:"one server, host:port, host, or the path of a unix socket; several are nodes of a cluster; or a go-redis client, which Close does not close"`

	// URL names one server instead of Addr, Username, Password and DB:
	//
	//	redis://user:password@host:6379/0
	//	rediss://host:6380                      the same over TLS
	//	unix://user:password@/path/to.sock?db=0
	URL driver.Secret `setting:"CACHE_REDIS_URL" help:"redis://user:password@host:6379/0, rediss:// (TLS) or unix://, instead of host, username, password and database"`

	// Cluster lists nodes of a cluster, "host:port". The driver finds the other nodes
	// through any of them.
	Cluster []string `setting:"CACHE_REDIS_CLUSTER" help:"nodes of a cluster, host:port; one that is reachable suffices"`

	// Sentinels lists sentinels, "host:port", which know the address of the primary
	// called SentinelMaster. Their credentials are not those of the servers.
	Sentinels        []string      `setting:"CACHE_REDIS_SENTINELS" help:"sentinels, host:port"`
	SentinelMaster   string        `setting:"CACHE_REDIS_SENTINEL_MASTER" default:"mymaster" help:"name of the primary"`
	SentinelUsername string        `setting:"CACHE_REDIS_SENTINEL_USERNAME" verbatim:"true" help:"user of the sentinels"`
	SentinelPassword driver.Secret `setting:"CACHE_REDIS_SENTINEL_PASSWORD" help:"password of the sentinels"`

	// Username is an ACL user; empty for the default user.
	Username string        `setting:"CACHE_REDIS_USERNAME" verbatim:"true" help:"ACL user, by default the server's default user"`
	Password driver.Secret `setting:"CACHE_REDIS_PASSWORD" help:"password of the user"`
	DB       int           `setting:"CACHE_REDIS_DB" min:"0" help:"number of the database; a cluster has only 0"`

	// TLS turns TLS on. With URL it refines what rediss:// implies.
	TLS *tls.Config

	PoolSize     int `option:"pool_size" min:"1" help:"connections per server, by default 10 per CPU (cluster: 5 per CPU)"`
	MinIdleConns int `option:"min_idle_conns" min:"0" help:"connections kept open per server"`

	// ConnMaxIdleTime is how long a connection may be unused before it is replaced. It
	// should be shorter than the time after which a firewall or a balancer forgets
	// connections.
	ConnMaxIdleTime time.Duration `option:"conn_max_idle_time" default:"30m" min:"1ms" help:"after this time without use a connection is replaced"`

	DialTimeout  time.Duration `option:"dial_timeout" default:"5s" min:"1ms" help:"of one connection, with TLS and login"`
	ReadTimeout  time.Duration `option:"read_timeout" default:"3s" min:"1ms" help:"of each 64 KiB of a reply"`
	WriteTimeout time.Duration `option:"write_timeout" default:"3s" min:"1ms" help:"of each 64 KiB that is sent"`

	// ReadFromReplicas sends reads to the replicas of a cluster or of sentinels. A value
	// that was just written may be missing there for a second or more.
	ReadFromReplicas bool `option:"read_from_replicas" help:"read from replicas of a cluster or of sentinels, which lag behind"`

	// NoAutoPipeline gives every call a round trip of its own. See the documentation of
	// the package. Hooks of a borrowed client, such as those of tracing, then receive
	// every call with its context, not pipelines without one.
	NoAutoPipeline bool

	// PublishChanges is for servers that refuse CLIENT TRACKING. Every write also publishes
	// the key that it changes, and [Backend.Watch] subscribes to these messages. All programs
	// that write the entries must set it: other changes are not reported, nor are evictions.
	// A write is then a script (EVAL): if the server refuses the script or PUBLISH, the write
	// fails and changes nothing.
	PublishChanges bool `option:"publish_changes" help:"writes publish the keys that they change and Watch subscribes to them, for servers that refuse CLIENT TRACKING; all programs that write must set it"`

	// Flask stores values as Flask-Caching does, to share entries with a Flask program: see
	// the documentation of the package. Every value must be a pickle or the decimal text of
	// an integer, as flask.Codec of module flask writes them.
	Flask bool `setting:"CACHE_FLASK" help:"keys, values and placement as Flask-Caching stores them"`

	// AllowFlush permits Clear without a prefix, which empties the database, including
	// the entries of other programs.
	AllowFlush bool `setting:"CACHE_ALLOW_FLUSH" help:"permit Clear without a prefix, which empties the database"`
}

const defaultHost = "localhost"

// Validate checks the fields that depend on each other. [New] calls it.
func (o Options) Validate(p *driver.Problems) {
	p.Exclusive("URL", "Addr", "Username", "Password", "DB", "Cluster", "Sentinels")
	p.Exclusive("Cluster", "Addr", "Sentinels")
	p.Exclusive("Sentinels", "Addr")
	p.Requires("SentinelMaster", "Sentinels")
	p.Requires("SentinelUsername", "Sentinels")
	p.Requires("SentinelPassword", "Sentinels")
	if o.ReadFromReplicas && len(o.Cluster) == 0 && len(o.Sentinels) == 0 && !p.Failed("Cluster") && !p.Failed("Sentinels") {
		p.Add("ReadFromReplicas", "has no effect without %s or %s", keyCluster, keySentinels)
	}
	if len(o.Cluster) > 0 && o.DB != 0 {
		p.Add("DB", "a cluster has no database %d, only 0", o.DB)
	}
	if _, err := parseURL(o.URL.Reveal()); err != nil && !o.URL.IsZero() {
		p.Add("URL", "%w", err)
	}
	if o.Addr != "" {
		validateAddrs(p, "Addr", true, o.Addr)
	}
	validateAddrs(p, "Cluster", false, o.Cluster...)
	validateAddrs(p, "Sentinels", false, o.Sentinels...)
}

func validateAddrs(p *driver.Problems, field string, pathAllowed bool, addrs ...string) {
	for _, addr := range addrs {
		if err := remote.CheckAddr(addr, pathAllowed); err != nil {
			p.Add(field, "%w", err)
		}
	}
}

// complete returns o with its defaults and the parts of the URL.
func (o Options) complete() (Options, error) {
	if err := driver.Complete(&o); err != nil {
		return o, fmt.Errorf("redis: %w", err)
	}
	if !o.URL.IsZero() {
		server, err := parseURL(o.URL.Reveal())
		if err != nil {
			return o, fmt.Errorf("redis: %w", err)
		}
		o.Addr = server.addr
		server.configure(&o)
	}
	return o, nil
}

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

// unprotected returns a remote server that would receive the password in clear text.
func (o Options) unprotected() (addr string, found bool) {
	if o.TLS != nil || o.Password.IsZero() && o.SentinelPassword.IsZero() {
		return "", false
	}
	for _, addr := range o.addrs() {
		if !remote.IsLocal(addr) {
			return addr, true
		}
	}
	return "", false
}
