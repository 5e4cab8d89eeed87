package integration

import (
	"sync"
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/filesystem"
)

func TestFilesystem(t *testing.T) {
	var dirs sync.Map // of the open backends
	open := func(t *testing.T, dir string, threshold int) cache.Backend {
		b, err := filesystem.New(t.Context(), filesystem.Options{Dir: dir, Threshold: threshold})
		if err != nil {
			t.Fatal(err)
		}
		dirs.Store(b, dir)
		return b
	}
	conformance.Run(t, conformance.Harness{
		New: func(t *testing.T) cache.Backend { return open(t, t.TempDir(), filesystem.NoLimit) },
		Stores: conformance.Stores{
			Reopen: func(t *testing.T, first cache.Backend) cache.Backend {
				dir, _ := dirs.Load(first)
				return open(t, dir.(string), filesystem.NoLimit)
			},
			Bounded: func(t *testing.T, entries int) cache.Backend { return open(t, t.TempDir(), entries) },
		},
		Isolated: true,
		Unsupported: map[conformance.Feature]string{
			conformance.Network: "the store is a directory",
		},
	})
}
