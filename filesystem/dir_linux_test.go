//go:build linux && (amd64 || arm64) && !portable

package filesystem

import (
	"strconv"
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
