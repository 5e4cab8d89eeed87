package integration

import (
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/simple"
)

func TestSimple(t *testing.T) {
	busy(t)
	open := func(t *testing.T, threshold int) cache.Backend {
		b, err := simple.New(t.Context(), simple.Options{Threshold: threshold})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	conformance.Run(t, conformance.Harness{
		New:    func(t *testing.T) cache.Backend { return open(t, simple.NoLimit) },
		Bubble: true,
		Stores: conformance.Stores{Bounded: open},
	})
}
