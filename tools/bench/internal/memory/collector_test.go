package memory

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestCollections(t *testing.T) {
	for _, p := range peers {
		if p.name != "simple" && p.name != "map+RWMutex" {
			continue
		}
		s, err := openWithOwnKeys(p, 2500)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if absent := s.absent([]string{"key:00000000000009c3", "key:00000000000009c4"}); len(absent) != 1 {
			t.Errorf("%s: %q are absent, want the key after the last one", p.name, absent)
		}
		measured := testing.Benchmark(func(b *testing.B) { runCollections(b, s) })
		if cpu, stop := measured.Extra["ns/cycle"], measured.Extra["ns/stop"]; cpu <= 0 || stop <= 0 {
			t.Errorf("%s: %v ns a cycle, %v ns a stop", p.name, cpu, stop)
		}
	}
}

func TestLongestStop(t *testing.T) {
	before := readCollector()
	if longest := before.longestSince(before); longest != 0 {
		t.Errorf("nothing has stopped for %v s", longest)
	}
	runtime.GC()
	if longest := readCollector().longestSince(before); longest <= 0 || longest > 60 {
		t.Errorf("the longest stop is %v s", longest)
	}
}

func TestHeapAtBound(t *testing.T) {
	if heap := heapAtBound(weighted[0], 64<<10); heap < Bound*8/10 || heap > Bound*12/10 {
		t.Errorf("%d bytes, want about %d", heap, Bound)
	}
}

// TestUntilFreed runs in a bubble, where a minute takes no time.
func TestUntilFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if took := untilFreed(mortal(time.Second)[0], 10_000, time.Second); took <= 0 || took > time.Minute {
			t.Errorf("simple frees its memory after %v", took)
		}
		nothingFreed := peer{name: "map", open: openLockedMap}
		if took := untilFreed(nothingFreed, 10_000, time.Second); took != 2*time.Minute {
			t.Errorf("a map frees its memory after %v", took)
		}
	})
}
