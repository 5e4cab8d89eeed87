package simple

import (
	"bytes"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	cache "github.com/cachebackends/cachebackends/core"
)

// memoryOf returns a copy of the memory of *p.
func memoryOf[T any](p *T) []byte {
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p)))
}

// snapshot copies everything that a hit may read, and what lies near it.
func snapshot(b *Backend) (all []byte) {
	all = append(memoryOf(b), memoryOf(b.room)...)
	for i := range b.shards {
		s := &b.shards[i]
		t := s.table.Load()
		all = append(append(append(all, memoryOf(s)...), memoryOf(t)...), memoryOf(t.usage)...)
		for i := range t.buckets {
			all = append(all, memoryOf(&t.buckets[i])...)
			for j := range t.buckets[i].slots {
				if n := t.buckets[i].slots[j].Load(); n != nil {
					all = append(all, memoryOf(n)...)
				}
			}
		}
	}
	return all
}

// TestReadsWriteNothing shows that reads of entries that are in use change no memory:
// processors that read them do not take cache lines from each other. In a bubble the
// ticks of the clock do not interfere.
func TestReadsWriteNothing(t *testing.T) {
	for _, o := range []Options{{}, {Threshold: 4000}, {MaxBytes: 64 << 20}} {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			b := newBounded(t, o)
			const keys = 400
			for i := range keys {
				must(t, b.Set(ctx, "bytes"+strconv.Itoa(i), []byte("value"), time.Hour))
				must(t, b.SetValue(ctx, "value"+strconv.Itoa(i), i, 0))
			}
			c := cache.New(b)
			text := cache.Of[string](c)
			read := func() {
				for i := range keys {
					key, value := "bytes"+strconv.Itoa(i), "value"+strconv.Itoa(i)
					b.Get(ctx, key)
					b.GetWithTTL(ctx, key)
					b.GetValue(ctx, value)
					b.Has(ctx, key)
					b.TTL(ctx, key)
					b.Lease(ctx, key, time.Minute)
					b.Get(ctx, "absent"+key)
					text.Get(ctx, key)
				}
			}
			for range maxUses {
				read()
			}
			before := snapshot(b)
			read()
			if after := snapshot(b); !bytes.Equal(before, after) {
				for i := range before {
					if before[i] != after[i] {
						t.Fatalf("%+v: byte %d of %d differs", o, i, len(before))
					}
				}
			}
		})
	}
}

// The lock of a shard and the counters of a table, which writers change, are not on the
// cache lines that readers use.
func TestReadersHaveTheirOwnCacheLines(t *testing.T) {
	const line = 64
	var s shard
	if at := unsafe.Offsetof(s.mu); at < line {
		t.Errorf("the lock is %d bytes behind the table", at)
	}
	if end := unsafe.Sizeof(s) - unsafe.Offsetof(s.expirations) - unsafe.Sizeof(s.expirations); end < line-8 {
		t.Errorf("the next shard begins %d bytes behind the counters", end)
	}
	if size := unsafe.Sizeof(usage{}); size != line && unsafe.Sizeof(uintptr(0)) == 8 {
		t.Errorf("usage has %d bytes", size)
	}
	if size := unsafe.Sizeof(node{}); size != line && unsafe.Sizeof(uintptr(0)) == 8 {
		t.Errorf("a node has %d bytes", size)
	}
}
