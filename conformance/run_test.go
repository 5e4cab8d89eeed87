package conformance_test

import (
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

func TestReference(t *testing.T) {
	t.Parallel()
	conformance.Run(t, conformance.Harness{
		New:    func(*testing.T) driver.Backend { return newReference() },
		Bubble: true,
		Stores: referenceStores,
	})
}

// TestMyCustomCache is the whole test of the backend in example_test.go.
func TestMyCustomCache(t *testing.T) {
	conformance.Run(t, conformance.Harness{
		New:    func(*testing.T) driver.Backend { return NewMyCustomCache() },
		Bubble: true,
		Unsupported: map[conformance.Feature]string{
			conformance.Counter:     "it stores no counters",
			conformance.Lease:       "its program loads in one process",
			conformance.Swap:        "nobody needs it",
			conformance.PrefixClear: "it is used by one program",
			conformance.TTL:         "nobody needs it",
			conformance.Threshold:   "the program stores few entries",
		},
	})
}

// TestServer runs the suite over a shared server, with faults.
func TestServer(t *testing.T) {
	t.Parallel()
	testServer(t, serve(t))
}
