//go:build linux && (amd64 || arm64) && !portable

package filesystem

import (
	"errors"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// A read into a buffer allocates nothing.
func TestGetAppendAllocations(t *testing.T) {
	b, ctx := openAt(t, Options{Dir: t.TempDir()}), t.Context()
	for _, size := range []int{0, 100, 64 << 10, 1 << 20} {
		key := "a key that does not fit into 32 bytes: " + strconv.Itoa(size)
		mustSet(t, b, key, string(pattern('v', size)), time.Hour)
		buffer := make([]byte, 0, size)
		n := testing.AllocsPerRun(100, func() {
			if _, ok, err := b.GetAppend(ctx, key, buffer); !ok || err != nil {
				t.Error(ok, err)
			}
		})
		if n > 0 {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
	}
}

// With Sync, the name of a new fan-out directory is flushed. The directory above it is open
// in a way that permits everything else.
func TestSyncOfFanOutDirectory(t *testing.T) {
	const oPath = 0x200000
	for _, sync := range []bool{false, true} {
		b := openAt(t, Options{Dir: t.TempDir(), Sync: sync})
		fd, err := syscall.Open(b.options.Dir, oPath|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		syscall.Close(b.tree.root.fd)
		b.tree.root.fd = fd
		err = b.Set(t.Context(), "k", []byte("v"), 0)
		if flushed := errors.Is(err, syscall.EBADF); flushed != sync || err != nil && !flushed {
			t.Errorf("Set with Sync: %v into a directory that cannot be flushed = %v", sync, err)
		}
	}
}
