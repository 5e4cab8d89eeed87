package cache

import "slices"

// Setting describes one CACHE_* setting. Documentation is generated from these.
type Setting struct {
	Key      string
	Backends []string // values of CACHE_TYPE that read it; empty for all
	Default  string
	Meaning  string
}

// KnownSettings lists the settings of this package and of the backends of this
// project, in the order of their documentation.
func KnownSettings() []Setting { return slices.Clone(known) }

var (
	redisTypes     = []string{"redis", "rediscluster", "redissentinel"}
	memcachedTypes = []string{"memcached", "saslmemcached", "spreadsaslmemcached"}
)

var known = []Setting{
	{"CACHE_TYPE", nil, "null", "the backend, by one of its names; not set is null, with a warning"},
	{"CACHE_DEFAULT_TIMEOUT", nil, "300", `life of entries in seconds, or a duration such as "5m"; 0 never expires`},
	{"CACHE_KEY_PREFIX", nil, "", "put before every key, and what Clear is confined to"},
	{"CACHE_IGNORE_ERRORS", nil, "false", "faults become misses; the observer is told"},
	{"CACHE_OPTIONS", nil, "", "further options of the backend by their snake_case names: a map, or a JSON object in the environment"},
	{"CACHE_THRESHOLD", []string{"simple", "filesystem"}, "500", "most entries; 0 is no limit"},
	{"CACHE_NO_NULL_WARNING", []string{"null"}, "false", "silences the warning that nothing is cached"},
	{"CACHE_DIR", []string{"filesystem"}, "", "directory of the entries; required"},
	{"CACHE_FILE_HASH_METHOD", []string{"filesystem"}, "sha256", "how keys become file names: sha256, sha512, sha1, md5"},
	{"CACHE_REDIS_HOST", redisTypes, "localhost", "host name; a list makes a cluster; a ready client may be given"},
	{"CACHE_REDIS_PORT", redisTypes, "6379", "port"},
	{"CACHE_REDIS_USERNAME", redisTypes, "", "ACL user"},
	{"CACHE_REDIS_PASSWORD", redisTypes, "", "password"},
	{"CACHE_REDIS_DB", redisTypes, "0", "number of the database"},
	{"CACHE_REDIS_URL", redisTypes, "", "redis://, rediss:// or unix://, in place of host, port, user, password and database"},
	{"CACHE_REDIS_CLUSTER", redisTypes, "", "nodes of a cluster, host:port"},
	{"CACHE_REDIS_SENTINELS", redisTypes, "", "sentinels, host:port"},
	{"CACHE_REDIS_SENTINEL_MASTER", redisTypes, "mymaster", "name the sentinels know the primary by"},
	{"CACHE_REDIS_SENTINEL_USERNAME", redisTypes, "", "ACL user of the sentinels"},
	{"CACHE_REDIS_SENTINEL_PASSWORD", redisTypes, "", "password of the sentinels"},
	{"CACHE_REDIS_TLS_CA", redisTypes, "", "file of certificates to trust; any TLS setting turns TLS on"},
	{"CACHE_REDIS_TLS_CERT", redisTypes, "", "file of our certificate"},
	{"CACHE_REDIS_TLS_KEY", redisTypes, "", "file of its key"},
	{"CACHE_REDIS_TLS_SERVER_NAME", redisTypes, "", "name expected in the server's certificate"},
	{"CACHE_MEMCACHED_SERVERS", memcachedTypes, "127.0.0.1:11211", "servers, host:port"},
	{"CACHE_MEMCACHED_USERNAME", memcachedTypes, "", "SASL user"},
	{"CACHE_MEMCACHED_PASSWORD", memcachedTypes, "", "SASL password"},
	{"CACHE_MEMCACHED_TLS_CA", memcachedTypes, "", "file of certificates to trust; any TLS setting turns TLS on"},
	{"CACHE_MEMCACHED_TLS_CERT", memcachedTypes, "", "file of our certificate"},
	{"CACHE_MEMCACHED_TLS_KEY", memcachedTypes, "", "file of its key"},
	{"CACHE_MEMCACHED_TLS_SERVER_NAME", memcachedTypes, "", "name expected in the server's certificate"},
	{"CACHE_UWSGI_NAME", []string{"uwsgi"}, "", "mycache@host:port or mycache@/path/to.sock; required"},
	{"CACHE_GCS_BUCKET", []string{"gcs"}, "", "bucket; required"},
	{"CACHE_GCS_KEY_PREFIX", []string{"gcs"}, "", "put before every object name"},
	{"CACHE_GCS_DELETE_EXPIRED_ON_READ", []string{"gcs"}, "false", "removes an expired object when a read meets it"},
	{"CACHE_GCS_ANONYMOUS", []string{"gcs"}, "false", "asks without credentials"},
	{"CACHE_GCS_ENDPOINT", []string{"gcs"}, "", "URL of another server with the same API"},
	{"CACHE_ALLOW_FLUSH", slices.Concat(redisTypes, memcachedTypes, []string{"gcs"}), "false", "lets Clear without a prefix empty a whole server, database or bucket"},
}

func isKnown(key string) bool {
	return slices.ContainsFunc(known, func(s Setting) bool { return s.Key == key })
}

// isCore reports whether the setting is read for every backend.
func isCore(key string) bool {
	return slices.ContainsFunc(known, func(s Setting) bool { return s.Key == key && s.Backends == nil })
}
