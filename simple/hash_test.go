package simple

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// Every byte of a key of any length changes its hash.
func TestHashUsesEveryByte(t *testing.T) {
	h := newHasher()
	for length := range 100 {
		key := strings.Repeat("a", length)
		if h.hash(key) == h.hash(key+"a") {
			t.Errorf("keys of %d and %d bytes have the same hash", length, length+1)
		}
		for i := range length {
			if h.hash(key) == h.hash(key[:i]+"b"+key[i+1:]) {
				t.Errorf("byte %d of %d is not used", i, length)
			}
		}
	}
}

func TestHashIsSeeded(t *testing.T) {
	first, second := newHasher(), newHasher()
	for _, key := range []string{"short", "eight by", "a key of some length", strings.Repeat("long", 20)} {
		if first.hash(key) == second.hash(key) {
			t.Errorf("%q has the same hash in two caches", key)
		}
	}
}

func TestSame(t *testing.T) {
	for length := range 50 {
		key := strings.Repeat("a", length)
		if !same(key, strings.Clone(key)) {
			t.Errorf("a key of %d bytes is not the same as itself", length)
		}
		if same(key, key+"a") {
			t.Errorf("keys of %d and %d bytes are the same", length, length+1)
		}
		for i := range length {
			if same(key, key[:i]+"b"+key[i+1:]) {
				t.Errorf("byte %d of %d is not used", i, length)
			}
		}
	}
}

// Keys of common forms are distributed evenly over buckets, tags and shards.
func TestHashDistribution(t *testing.T) {
	const keys, cells = 1 << 16, 1 << 8
	for _, form := range []string{"%d", "user:%d", "user:%08d", "session/%032x", "%020d:%[1]d", "key:%016x", "%[1]q%[1]s"} {
		h := newHasher()
		for part, cell := range map[string]func(uint64) int{
			"home":  func(hash uint64) int { return int(uint32(hash) >> 24) },
			"tag":   func(hash uint64) int { return int(tagOf(hash)) },
			"shard": func(hash uint64) int { return int(hash >> 56) },
		} {
			var count [cells]float64
			for i := range keys {
				count[cell(h.hash(fmt.Sprintf(form, i)))]++
			}
			var chiSquare float64
			for _, n := range count {
				chiSquare += (n - keys/cells) * (n - keys/cells) / (keys / cells)
			}
			// The mean is cells-1 and the variance twice that. Eight standard
			// deviations do not happen by chance.
			if limit := cells - 1 + 8*math.Sqrt(2*(cells-1)); chiSquare > limit {
				t.Errorf("form %q, %s: chi-square %.0f, want at most %.0f", form, part, chiSquare, limit)
			}
		}
	}
}

func BenchmarkHash(b *testing.B) {
	for _, length := range []int{3, 7, 8, 16, 20, 32, 33, 48, 64, 100, 200} {
		b.Run(fmt.Sprint(length), func(b *testing.B) {
			h, key := newHasher(), strings.Repeat("k", length)
			for b.Loop() {
				h.hash(key)
			}
		})
	}
}
