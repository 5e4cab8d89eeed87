package cache

// aliases are the names of Flask-Caching's classes, case-folded.
var aliases = map[string]string{
	"nullcache":                "null",
	"simplecache":              "simple",
	"filesystemcache":          "filesystem",
	"rediscache":               "redis",
	"redisclustercache":        "rediscluster",
	"redissentinelcache":       "redissentinel",
	"memcachedcache":           "memcached",
	"saslmemcachedcache":       "saslmemcached",
	"spreadsaslmemcachedcache": "spreadsaslmemcached",
	"uwsgicache":               "uwsgi",
	"googlecloudstoragecache":  "gcs",
}
