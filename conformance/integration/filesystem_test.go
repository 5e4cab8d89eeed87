package integration

import (
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/filesystem"
)

func TestFilesystem(t *testing.T) {
	busy(t)
	conformance.Run(t, filesystemHarness(filesystem.Options{}))
}

// The layout of Flask-Caching is another implementation of all that concerns files.
func TestFilesystemFlask(t *testing.T) {
	variant(t)
	h := filesystemHarness(filesystem.Options{Flask: true})
	h.Name, h.Slow = "filesystem-flask", true
	h.Limits = conformance.Limits{
		Resolution:  time.Second + time.Millisecond, // the files have whole seconds
		RefusedKeys: []string{"__wz_cache_count"},
	}
	h.Unsupported[conformance.PrefixClear] = "the files of Flask do not contain their keys"
	h.Waived = map[string]string{"KEY-17": "cachelib names files by the MD5 of the key, and the files do not contain the key"}
	conformance.Run(t, h)
}

func filesystemHarness(o filesystem.Options) conformance.Harness {
	var dirs sync.Map // of the open backends
	open := func(t *testing.T, dir string, threshold int) cache.Backend {
		o := o
		o.Dir, o.Threshold = dir, threshold
		b, err := filesystem.New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		dirs.Store(b, dir)
		return b
	}
	return conformance.Harness{
		New: func(t *testing.T) cache.Backend { return open(t, fastDir(t), filesystem.NoLimit) },
		Stores: conformance.Stores{
			Reopen: func(t *testing.T, first cache.Backend) cache.Backend {
				dir, _ := dirs.Load(first)
				return open(t, dir.(string), filesystem.NoLimit)
			},
			Bounded: func(t *testing.T, entries int) cache.Backend { return open(t, fastDir(t), entries) },
		},
		Isolated: true,
		Unsupported: map[conformance.Feature]string{
			conformance.Network: "the store is a directory",
		},
	}
}

// fastDir returns an empty directory in memory if there is such a file system, with room
// for the suite. There the suite takes a tenth of the time that the kernel needs for it
// on a disk with a journal. The other tests of this package use directories on disk.
func fastDir(t *testing.T) string {
	t.Helper()
	const memory, room = "/dev/shm", 1 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memory, &fs); err != nil || uint64(fs.Bavail)*uint64(fs.Bsize) < room {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "filesystem")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
