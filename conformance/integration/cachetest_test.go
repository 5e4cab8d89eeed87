package integration

import (
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
)

// The store for the tests of programs keeps the contract of backends.
func TestCachetest(t *testing.T) {
	busy(t)
	conformance.Run(t, conformance.Harness{
		Name:     "cachetest",
		NoReport: true,
		New:      func(t *testing.T) driver.Backend { return cachetest.NewStore() },
		Bubble:   true,
		Unsupported: map[conformance.Feature]string{
			conformance.Threshold: "a test stores few entries",
		},
	})
}
