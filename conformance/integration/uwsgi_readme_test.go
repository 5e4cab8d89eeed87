package integration

import (
	"fmt"
	"testing"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
)

func TestUwsgiReadme(t *testing.T) {
	server := servers.StartUwsgi(t, "")
	smaller := fmt.Sprintf(` CACHE_OPTIONS={"max_value":%d}`, servers.UwsgiBlockSize) // than the README's server has
	worksAsShown(t, "uwsgi", "CACHE_TYPE=uwsgi  CACHE_UWSGI_NAME=mycache@1", "mycache@127.0.0.1:3031", "first@"+server.Addr+smaller)
	worksAsShown(t, "uwsgi", "CACHE_TYPE=uwsgi  CACHE_UWSGI_NAME=mycache@/", "mycache@/run/app.sock", "second@"+server.Socket+smaller)
}
