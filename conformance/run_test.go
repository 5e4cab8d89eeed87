package conformance_test

import (
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
	cache "github.com/cachebackends/cachebackends/core"
)

func TestReference(t *testing.T) {
	conformance.Run(t, conformance.Harness{
		New:     func(*testing.T) cache.Backend { return newReference() },
		Reopen:  func(_ *testing.T, first cache.Backend) cache.Backend { return first.(*reference).reopen() },
		Bounded: func(_ *testing.T, most int) cache.Backend { return newBounded(most) },
		Bubble:  true,
	})
}

// TestMyCustomCache is all that its author has to write.
func TestMyCustomCache(t *testing.T) {
	conformance.Run(t, conformance.Harness{
		New:    func(*testing.T) cache.Backend { return NewMyCustomCache() },
		Bubble: true,
		Unsupported: map[conformance.Feature]string{
			conformance.Counter:     "nobody counts with it",
			conformance.PrefixClear: "it belongs to one program",
			conformance.TTL:         "nobody asks",
			conformance.Threshold:   "the program stores little",
		},
	})
}

// TestServer runs the suite, faults and all, over a server that is shared.
func TestServer(t *testing.T) { conformance.Run(t, overToy(t, habits{})) }
