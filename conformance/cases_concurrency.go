package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

var concurrencyCases = []Case{
	{ID: "CON-1", Name: "concurrent_use",
		Rule:  "all operations may be called concurrently (run the tests with -race)",
		Why:   "Every request of a server uses the same cache, and a data race corrupts it.",
		flags: needsOwnStore | emptiesStore,
		run: func(t *attempt) {
			operations := t.supported(allOperations)
			if cannotClear(t) {
				operations = slices.DeleteFunc(operations, func(op operation) bool { return op.name == "Clear" })
			}
			rounds, span, begin := t.fewer(100), time.Duration(t.fewer(2000))*time.Millisecond, time.Now()
			t.concurrently(8, func(worker int) {
				for i := range rounds {
					if !t.harness.Bubble && i >= rounds/4 && time.Since(begin) > span {
						return
					}
					key := fmt.Sprintf("k%d", i%4)
					for _, op := range operations {
						if (strings.HasPrefix(op.name, "Clear") || op.name == "Scan") && i%10 != worker {
							continue // it may list all keys
						}
						if err := op.call(t.ctx, t.handle, key); !errors.Is(err, errResult) {
							t.must(op.name+" with concurrent callers", err)
						}
					}
				}
			})
		}},
	{ID: "CON-2", Name: "values_are_never_torn",
		Rule:  "concurrent readers see only complete values that were written",
		Why:   "A backend that writes files in place shows readers half of a value.",
		flags: needsOwnStore,
		run:   func(t *attempt) { t.neverTorn(256<<10, 256<<10) }},
	{ID: "CON-3", Name: "one_key_is_linearizable",
		Rule:  "the history of one key under all operations, with batches and Clear, is linearizable",
		Why:   "Without one order of the calls, a program may read an old value after a new one.",
		flags: needsOwnStore | emptiesStore,
		run:   linearizable},
	{ID: "CON-4", Name: "large_and_small_alternate",
		Rule:  "large and small values that 8 writers store under one key are never mixed",
		Why:   "A value that is stored in chunks may consist of chunks of two writers.",
		flags: needsOwnStore,
		run:   func(t *attempt) { t.neverTorn(16, 700<<10) }},
	{ID: "CON-5", Name: "no_goroutine_is_left",
		Rule:  "after Close the backend has no goroutines left, whichever operations ran before, also on further handles",
		Why:   "A goroutine that is leaked by every handle exhausts the memory of a long-running program.",
		flags: oneModeOnly | needsOwnStore | alsoNull,
		run:   noGoroutineLeft},
	{ID: "CON-6", Name: "memory_is_released",
		Rule:  "repeated operations on few keys do not increase the memory in use",
		Why:   "If a slice or a map grows with every call, a process runs out of memory after days, long after the tests.",
		flags: oneModeOnly | needsOwnStore | measuresMemory,
		run:   memoryIsReleased},
}

// checksummed returns a value that contains its own length and checksum.
func checksummed(n uint32, size int) []byte {
	value := randomBytes(byte(n), size)
	binary.LittleEndian.PutUint32(value[4:], uint32(size))
	binary.LittleEndian.PutUint32(value, crc32.ChecksumIEEE(value[4:]))
	return value
}

func isComplete(value []byte) bool {
	return len(value) >= 8 && binary.LittleEndian.Uint32(value[4:]) == uint32(len(value)) &&
		binary.LittleEndian.Uint32(value) == crc32.ChecksumIEEE(value[4:])
}

// neverTorn has 8 callers write and read one key with values of both sizes.
func (t *attempt) neverTorn(small, large int) {
	if limit := t.harness.Limits.maxValue(); limit != 0 {
		small, large = min(small, limit), min(large, limit)
	}
	rounds := t.fewer(15)
	var hits atomic.Int64
	handles := t.handles()
	t.concurrently(8, func(worker int) {
		h := handles[worker%len(handles)]
		for i := range rounds {
			size := small
			if (worker+i)%2 == 0 {
				size = large
			}
			t.must("Set", h.Set(t.ctx, "k", checksummed(uint32(worker*100+i), size), time.Hour))
			for range 2 {
				value, ok, err := h.Get(t.ctx, "k")
				t.must("Get", err)
				if ok && !isComplete(value) {
					t.stop("Get during Sets of others", value, text("one of the values that were set"))
				}
				if ok {
					hits.Add(1)
				}
			}
		}
	})
	if hits.Load() == 0 {
		t.wrong("hits of Get of a key that 8 callers set", 0, text("most calls"))
	}
}

// noGoroutineLeft finds the goroutines of the backend by a label that they
// inherit: other goroutines of the program may start and end meanwhile.
func noGoroutineLeft(t *attempt) {
	pprof.Do(t.ctx, pprof.Labels("conformance", t.id), func(context.Context) {
		b := t.harness.New(t.test)
		t.useEverything(b, 20)
		for range 10 {
			if t.canShare() {
				other := t.harness.Stores.Reopen(t.test, b)
				t.useEverything(other, 1)
				t.must("Close of a further handle", other.Close())
			}
		}
		t.must("Close", b.Close())
	})
	var left []string
	for range 1000 {
		t.step() // the backend need not do anything here
		if left = labelledGoroutines(t.id); len(left) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	for i := range left {
		left[i] = trimStack(left[i])
	}
	t.wrong("goroutines ten seconds after Close", text(strings.Join(left, "\n")), text("none: Close ends them"))
}

// useEverything has 4 callers call every operation of b, but for Clear, which may not
// be allowed.
func (t *attempt) useEverything(b driver.Backend, rounds int) {
	h := t.throughCache(cache.New(t.show(b)))
	operations := slices.DeleteFunc(t.supported(allOperations), func(op operation) bool { return op.name == "Clear" })
	t.concurrently(4, func(worker int) {
		for i := range rounds {
			for _, op := range operations {
				if (op.name == "ClearPrefix" || op.name == "Scan") && i%10 != worker {
					continue // it may visit all keys
				}
				err := op.call(t.ctx, h, fmt.Sprintf("w%d-%d", worker, i%5))
				if !errors.Is(err, errResult) && !errors.Is(err, errors.ErrUnsupported) {
					t.must(op.name, err)
				}
			}
		}
	})
}

// labelledGoroutines returns the stacks of the goroutines that have label.
func labelledGoroutines(label string) []string {
	var profile strings.Builder
	pprof.Lookup("goroutine").WriteTo(&profile, 1)
	return slices.DeleteFunc(strings.Split(profile.String(), "\n\n"), func(stack string) bool {
		return !strings.Contains(stack, label)
	})
}
