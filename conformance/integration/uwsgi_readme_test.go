package integration

import (
	"fmt"
	"testing"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
)

func TestUWSGIReadme(t *testing.T) {
	busy(t)
	server := servers.StartUwsgi(t, "")
	smaller := fmt.Sprintf(` CACHE_OPTIONS={"max_value":%d}`, servers.UwsgiBlockSize) // than that of the server in the README
	worksAsShown(t, "uwsgi", "CACHE_TYPE=uwsgi  CACHE_UWSGI_NAME=mycache@1", "mycache@127.0.0.1:3031", "first@"+server.Addr+smaller)
	worksAsShown(t, "uwsgi", "CACHE_TYPE=uwsgi  CACHE_UWSGI_NAME=mycache@/", "mycache@/run/app.sock", "second@"+server.Socket+smaller)
}
