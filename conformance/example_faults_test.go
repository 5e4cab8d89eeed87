package conformance_test

import (
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

// testServer runs the suite over a backend whose server is at addr, and which
// other tests use too.
func testServer(t *testing.T, addr string) {
	open := func(t *testing.T) driver.Backend {
		b, err := newClient(addr)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	conformance.Run(t, conformance.Harness{
		New:    open,
		Slow:   true, // each call opens a connection
		Limits: conformance.Limits{MaxValue: clientLimit},
		Stores: conformance.Stores{
			Reopen: func(t *testing.T, _ driver.Backend) driver.Backend { return open(t) },
		},
		// The suite starts a proxy of the server, opens backends at the address of
		// the proxy, and breaks their connections.
		Faults: &conformance.Faults{
			Addr:        addr,
			New:         func(_ *testing.T, addr string) (driver.Backend, error) { return newClient(addr) },
			CancelBound: 100 * time.Millisecond,
		},
		Unsupported: map[conformance.Feature]string{
			conformance.Threshold: "the server is not bounded",
		},
	})
}

// A backend with a server is also tested with a network that fails.
func ExampleRun_faults() {
	var t *testing.T // of a test of the backend
	testServer(t, "localhost:7000")
}
