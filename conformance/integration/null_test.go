package integration

import (
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/null"
)

func TestNull(t *testing.T) {
	conformance.Run(t, conformance.Harness{
		New: func(t *testing.T) cache.Backend {
			b, err := null.New(t.Context(), null.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Isolated:    true,
		Unsupported: map[conformance.Feature]string{conformance.Storage: "it keeps nothing"},
	})
}
