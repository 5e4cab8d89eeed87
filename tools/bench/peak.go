package main

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

// peakHeap watches the heap until the function it returns is called, which tells
// by how many bytes it was at most above what it is now. It looks every
// millisecond, so that short peaks may be missed.
func peakHeap() (above func() int64) {
	runtime.GC()
	before := heapBytes()
	peak := before
	end := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(time.Millisecond):
				peak = max(peak, heapBytes())
			}
		}
	})
	return func() int64 {
		close(end)
		done.Wait()
		return max(peak, heapBytes()) - before
	}
}

// heapBytes is what objects occupy, those too that are garbage and not yet collected.
func heapBytes() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}
