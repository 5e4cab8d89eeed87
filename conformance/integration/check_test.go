package integration

import (
	"slices"
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	"github.com/cachebackends/cachebackends/null"
)

// Check, which cachectl doctor prints, does not report the documented limits of a backend
// as failures.
func TestCheck(t *testing.T) {
	t.Parallel()
	type settings = map[string]any
	stores := map[string]func(t *testing.T) settings{
		"simple": func(t *testing.T) settings {
			return settings{"CACHE_TYPE": "simple", "CACHE_THRESHOLD": 100_000}
		},
		"filesystem": func(t *testing.T) settings {
			return settings{"CACHE_TYPE": "filesystem", "CACHE_DIR": t.TempDir(), "CACHE_THRESHOLD": 100_000}
		},
		"redis": func(t *testing.T) settings {
			return settings{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": "redis://" + servers.StartRedis(t, "").Addrs[0]}
		},
		"redis cluster": func(t *testing.T) settings {
			return settings{"CACHE_TYPE": "rediscluster", "CACHE_REDIS_CLUSTER": servers.StartRedisCluster(t, 0).Addrs}
		},
		"memcached": func(t *testing.T) settings {
			return settings{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": servers.StartMemcached(t, 1, "").Addrs[0]}
		},
		"memcached spread": func(t *testing.T) settings {
			return settings{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": servers.StartMemcached(t, 1, "").Addrs[0], "CACHE_OPTIONS": spreadOptions}
		},
		"memcached sasl": func(t *testing.T) settings {
			return settings{
				"CACHE_TYPE": "SASLMemcachedCache", "CACHE_MEMCACHED_SERVERS": servers.StartMemcachedSASL(t, "app", "hunter2", "").Addrs[0],
				"CACHE_MEMCACHED_USERNAME": "app", "CACHE_MEMCACHED_PASSWORD": "hunter2",
			}
		},
		"uwsgi": func(t *testing.T) settings {
			return settings{"CACHE_TYPE": "uwsgi", "CACHE_UWSGI_NAME": "first@" + servers.StartUwsgi(t, "").Addr,
				"CACHE_OPTIONS": settings{"max_value": servers.UwsgiBlockSize}}
		},
		"gcs": func(t *testing.T) settings {
			endpoint, newBucket := startGCS(t)
			newBucket("checked")
			return gcsSettings(endpoint, "checked")
		},
	}
	for name, start := range stores {
		t.Run(name, func(t *testing.T) {
			busy(t)
			b := over(start(t)).New(t)
			defer b.Close()
			report := conformance.Check(t.Context(), b)
			if !report.OK() || report.Count(conformance.Pass) < 50 {
				t.Error(report)
			}
			for _, r := range report.Results {
				if r.Outcome == conformance.Fail || r.Outcome == conformance.Error {
					t.Errorf("%s %s:\n%s", r.Outcome, r.ID, r.Reason)
				}
			}
		})
	}
}

// The report of a store that stores nothing is not OK, even for the null cache.
func TestCheckOfNull(t *testing.T) {
	report := conformance.Check(t.Context(), null.New())
	fails := func(r conformance.Result) bool { return r.ID == "BAS-1" && r.Outcome == conformance.Fail }
	if report.OK() || !slices.ContainsFunc(report.Results, fails) {
		t.Errorf("got %v, want a failure of BAS-1", report)
	}
}
