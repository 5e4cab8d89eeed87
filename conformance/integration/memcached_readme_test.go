package integration

import (
	"testing"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
)

func TestMemcachedReadme(t *testing.T) {
	busy(t)
	two := servers.StartMemcached(t, 2, "")
	worksAsShown(t, "memcached", "CACHE_TYPE=memcached ",
		"10.0.0.1:11211", two.Addrs[0], "10.0.0.2:11211", two.Addrs[1])

	sasl := servers.StartMemcachedSASL(t, "app", "hunter2", "")
	worksAsShown(t, "memcached", "CACHE_TYPE=saslmemcached ", "10.0.0.1:11211", sasl.Addrs[0], "...", "hunter2")
}
