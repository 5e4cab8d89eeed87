package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// memoryIsReleased calls every operation many times on few keys. The memory that the calls
// have allocated must then be garbage.
func memoryIsReleased(t *attempt) {
	calls, span := t.fewer(50_000), time.Duration(t.fewer(2500))*time.Millisecond
	if t.harness.Bubble {
		span = time.Minute // a call takes microseconds, and a busy machine must not reduce their number
		t.unlimited.Store(true)
	}
	operations := t.supported(keyOperations)
	operations = append(operations,
		operation{"SetMany", "", func(ctx context.Context, h *handle, key string) error {
			return h.SetMany(ctx, map[string]string{key: string(randomBytes(1, 1<<10))}, time.Hour)
		}},
		operation{"Clear with a prefix", PrefixClear, func(ctx context.Context, h *handle, key string) error {
			return errors.Join(h.Set(ctx, key, randomBytes(1, 1<<10), time.Hour), h.ClearPrefix(ctx, key))
		}},
		operation{"Inc", Counter, func(ctx context.Context, h *handle, key string) error {
			_, err := h.Inc(ctx, key+"n", 1, time.Hour)
			return err
		}},
	)
	operations = t.supported(operations)
	share := span / time.Duration(len(operations))
	repeat := func(operations []operation) (n int, grown int64) {
		before := inUseOf("callRepeatedly")
		for _, op := range operations {
			n = t.callRepeatedly(op, calls, share)
		}
		return n, inUseOf("callRepeatedly") - before
	}
	const most = 2 << 20 // more than sampling errors and the entries themselves
	if _, grown := repeat(operations); grown <= most {
		return
	}
	for i, op := range operations {
		least, n := int64(math.MaxInt64), 0
		for round := 0; round < 3 && least > most; round++ { // what is kept only for a moment does not grow each time
			var grown int64
			n, grown = repeat(operations[i : i+1])
			least = min(least, grown)
		}
		if least > most {
			t.wrong(fmt.Sprintf("memory that %d calls of %s on 10 keys have allocated and not released, three times", n, op.name),
				text(fmt.Sprintf("%d KiB", least>>10)), text(fmt.Sprintf("at most %d KiB", most>>10)))
		}
	}
}

// memory is held by the case that measures memory: the profile does not distinguish
// two of them.
var memory sync.Mutex

// callRepeatedly calls op at most n times, and for about as long as span. It returns
// the number of calls.
func (t *attempt) callRepeatedly(op operation, n int, span time.Duration) (calls int) {
	begin := time.Now()
	for ; calls < n && time.Since(begin) < span; calls++ {
		err := op.call(t.ctx, t.handle, fmt.Sprintf("k%d", calls%10))
		if !errors.Is(err, errResult) && !errors.Is(err, driver.ErrNotInteger) {
			t.must(op.name, err)
		}
	}
	return calls
}

// inUseOf estimates the bytes in use that were allocated below the function name. The
// rest of the program does not disturb it.
func inUseOf(name string) (size int64) {
	runtime.GC()
	runtime.GC() // the profile describes the heap of the last but one
	records := make([]runtime.MemProfileRecord, 1000)
	for {
		n, ok := runtime.MemProfile(records, false)
		if ok {
			records = records[:n]
			break
		}
		records = make([]runtime.MemProfileRecord, n+1000)
	}
	for _, r := range records {
		if r.InUseObjects() > 0 && isBelow(r.Stack(), name) {
			// A profile contains an object with a probability that depends on its size.
			mean := float64(r.InUseBytes()) / float64(r.InUseObjects())
			size += int64(float64(r.InUseBytes()) / (1 - math.Exp(-mean/float64(runtime.MemProfileRate))))
		}
	}
	return size
}

func isBelow(stack []uintptr, name string) bool {
	frames := runtime.CallersFrames(stack)
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, "."+name) {
			return true
		}
		if !more {
			return false
		}
	}
}
