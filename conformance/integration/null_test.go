package integration

import (
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/null"
)

func TestNull(t *testing.T) {
	conformance.Run(t, conformance.Harness{
		New:         func(t *testing.T) cache.Backend { return null.New() },
		Isolated:    true,
		Unsupported: map[conformance.Feature]string{conformance.Storage: "it stores nothing"},
	})
}
