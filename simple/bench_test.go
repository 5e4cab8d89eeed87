package simple

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// The comparison with other caches is in tools/bench.

func benchmarkKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("key:%016x", i)
	}
	return keys
}

func benchmarkSizes(b *testing.B, run func(b *testing.B, backend *Backend, keys []string)) {
	for _, size := range []int{500, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			backend, keys := newBackend(b, size), benchmarkKeys(size)
			for range maxUses + 1 {
				for _, key := range keys {
					backend.Set(b.Context(), key, make([]byte, 100), time.Hour)
				}
			}
			b.ReportAllocs()
			run(b, backend, keys)
		})
	}
}

// shuffled permutes indexes, so that successive keys are far apart.
func shuffled(i, n int) int { return int(uint64(i) * 0x9e3779b97f4a7c15 >> 32 * uint64(n) >> 32) }

func BenchmarkGet(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, backend *Backend, keys []string) {
		ctx, i := b.Context(), 0
		for b.Loop() {
			i++
			if _, ok, _ := backend.Get(ctx, keys[shuffled(i, len(keys))]); !ok {
				b.Fatal("a miss")
			}
		}
	})
}

func BenchmarkSet(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, backend *Backend, keys []string) {
		ctx, value, i := b.Context(), make([]byte, 100), 0
		for b.Loop() {
			i++
			backend.Set(ctx, keys[shuffled(i, len(keys))], value, time.Hour)
		}
	})
}

func BenchmarkSetEvicting(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, backend *Backend, keys []string) {
		ctx, value, i := b.Context(), make([]byte, 100), 0
		others := benchmarkKeys(3 * len(keys))[len(keys):]
		b.ResetTimer()
		for b.Loop() {
			i++
			backend.Set(ctx, others[shuffled(i, len(others))], value, time.Hour)
		}
	})
}

// BenchmarkSetEvictingBytes stores values of different sizes in room for size values of
// 1 KB, so that every Set of a new key evicts one entry on average.
func BenchmarkSetEvictingBytes(b *testing.B) {
	for _, size := range []int{500, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			backend := newBounded(b, Options{MaxBytes: int64(size) << 10})
			keys := benchmarkKeys(3 * size)
			for i, key := range keys {
				backend.Set(b.Context(), key, zeros[:shuffled(i, 2000):shuffled(i, 2000)], time.Hour)
			}
			b.ReportAllocs()
			var start atomic.Int64
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				ctx := b.Context()
				for i := int(start.Add(1 << 20)); pb.Next(); i++ {
					bytes := shuffled(i, 2000)
					backend.Set(ctx, keys[shuffled(i, len(keys))], zeros[:bytes:bytes], time.Hour)
				}
			})
		})
	}
}

func BenchmarkMixParallel(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, backend *Backend, keys []string) {
		ctx, value := b.Context(), make([]byte, 100)
		var start atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for i := int(start.Add(1 << 20)); pb.Next(); i++ {
				if key := keys[shuffled(i, len(keys))]; i%10 == 0 {
					backend.Set(ctx, key, value, time.Hour)
				} else {
					backend.Get(ctx, key)
				}
			}
		})
	})
}
