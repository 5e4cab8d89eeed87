package cache

import "strings"

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

// modules are the modules of this project that bring each backend.
var modules = map[string]string{
	"null":                "null",
	"simple":              "simple",
	"filesystem":          "filesystem",
	"redis":               "redis",
	"rediscluster":        "redis",
	"redissentinel":       "redis",
	"memcached":           "memcached",
	"saslmemcached":       "memcached",
	"spreadsaslmemcached": "memcached",
	"uwsgi":               "uwsgi",
	"gcs":                 "gcs",
}

const modulesRoot = "github.com/cachebackends/cachebackends/"

// dottedPaths may stand before a name, the longest first.
var dottedPaths = []string{"flask_caching.contrib.uwsgicache.", "flask_caching.contrib.", "flask_caching.backends."}

// canonical makes one name of the many that mean the same backend. A name that
// is not of this project is only case-folded.
func canonical(name string) string {
	folded := strings.ToLower(strings.TrimSpace(name))
	short := folded
	for _, path := range dottedPaths {
		if rest, ok := strings.CutPrefix(folded, path); ok {
			short = rest
			break
		}
	}
	if alias, ok := aliases[short]; ok {
		short = alias
	}
	if modules[short] != "" {
		return short
	}
	return folded
}
