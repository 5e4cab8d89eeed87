package memcached

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// write is a conditional write of "k" after prepare.
type write struct {
	name    string
	prepare func(t *testing.T, f *fake, b *Backend) (token string)
	do      func(ctx context.Context, b *Backend, token string) error
}

func conditionalWrites(b *Backend) []write {
	nothing := func(*testing.T, *fake, *Backend) string { return "" }
	entryOf := func(value []byte) func(*testing.T, *fake, *Backend) string {
		return func(t *testing.T, _ *fake, b *Backend) string {
			must(t, b.Set(t.Context(), "k", value, time.Minute))
			return ""
		}
	}
	placeholder := func(_ *testing.T, f *fake, _ *Backend) string {
		f.store("k", entry{value: "name", flags: wire.FlagLease})
		return ""
	}
	leased := func(t *testing.T, _ *fake, b *Backend) string { return b.mustLease(t, "k") }
	add := func(value []byte) func(context.Context, *Backend, string) error {
		return func(ctx context.Context, b *Backend, _ string) error {
			_, err := b.Add(ctx, "k", value, time.Minute)
			return err
		}
	}
	inc := func(delta int64) func(context.Context, *Backend, string) error {
		return func(ctx context.Context, b *Backend, _ string) error {
			_, err := b.Inc(ctx, "k", delta, time.Minute)
			return err
		}
	}
	swap := func(old, value []byte) func(context.Context, *Backend, string) error {
		return func(ctx context.Context, b *Backend, _ string) error {
			_, err := b.CompareAndSwap(ctx, "k", old, value, time.Minute)
			return err
		}
	}
	remove := func(ctx context.Context, b *Backend, _ string) error {
		_, err := b.Delete(ctx, "k")
		return err
	}
	small, large := []byte("small"), largeValue(250)
	writes := []write{
		{"Add", nothing, add(small)},
		{"Add of a present key", entryOf(small), add(small)},
		{"Add over a placeholder", placeholder, add(small)},
		{"Inc of an absent key", nothing, inc(2)},
		{"Inc", entryOf([]byte("7")), inc(2)},
		{"Inc that gets shorter", entryOf([]byte("10")), inc(-1)},
		{"Inc over a placeholder", placeholder, inc(2)},
		{"CompareAndSwap", entryOf([]byte("old")), swap([]byte("old"), small)},
		{"Delete", entryOf(small), remove},
		{"Delete of an absent key", nothing, remove},
	}
	if b.meta != nil {
		fill := func(value []byte) func(context.Context, *Backend, string) error {
			return func(ctx context.Context, b *Backend, token string) error {
				_, err := b.Fill(ctx, "k", token, value, time.Minute)
				return err
			}
		}
		lease := func(ctx context.Context, b *Backend, _ string) error {
			_, _, _, err := b.Lease(ctx, "k", time.Minute)
			return err
		}
		writes = append(writes,
			write{"Inc below zero", entryOf([]byte("1")), inc(-2)},
			write{"Lease", nothing, lease},
			write{"Lease of a present key", entryOf(small), lease},
			write{"Lease of a leased key", placeholder, lease},
			write{"Fill", leased, fill(small)},
			write{"Release", leased, func(ctx context.Context, b *Backend, token string) error { return b.Release(ctx, "k", token) }},
		)
		if b.options.Spread {
			writes = append(writes,
				write{"Fill of a large value", leased, fill(large)},
				write{"Lease of a large value", entryOf(large), lease},
			)
		}
	}
	if b.options.Spread {
		writes = append(writes,
			write{"Add of a large value", nothing, add(large)},
			write{"Add of a large value over a placeholder", placeholder, add(large)},
			write{"CompareAndSwap of large values", entryOf(large), swap(large, largeValue(350))},
			write{"Delete of a large value", entryOf(large), remove},
		)
	}
	return writes
}

// Whenever the connection ends during a conditional write, once or from then on, the write
// takes effect at most once. ErrUnavailable means that it did not.
func TestLostConnectionDuringConditionalWrite(t *testing.T) {
	for name, o := range map[string]Options{
		"text": {}, "binary": {Protocol: Binary}, "borrowed": {},
		"spread text": {Spread: true}, "spread binary": {Protocol: Binary, Spread: true}, "spread borrowed": {Spread: true},
	} {
		if o.Spread {
			o.ChunkSize, o.MaxChunks = 100, 10
		}
		begin := func(t *testing.T) (*fake, *Backend) {
			f := startFake(t, nil)
			if strings.HasSuffix(name, "borrowed") {
				return f, borrow(t, f, o)
			}
			o.Servers = []string{f.addr}
			return f, start(t, o)
		}
		t.Run(name, func(t *testing.T) {
			_, b := begin(t)
			for _, w := range conditionalWrites(b) {
				for _, fault := range []string{hangUp, lost, torn} {
					for _, lasts := range []bool{false, true} {
						for n := 1; ; n++ {
							f, b := begin(t)
							if !breaks(t, f, b, w, n, fault, lasts) {
								break
							}
						}
					}
				}
			}
		})
	}
}

// breaks injects fault into the n-th command of w, and into those after it if the fault
// lasts. It reports whether w sends so many commands.
func breaks(t *testing.T, f *fake, b *Backend, w write, n int, fault string, lasts bool) bool {
	t.Helper()
	token := w.prepare(t, f, b)
	before, was, err := b.Get(t.Context(), "k")
	must(t, err)
	e, _ := f.at("k")
	changes := f.changed("k")
	var commands []string
	f.answers(func(_ int, command string) string {
		f.mu.Lock()
		defer f.mu.Unlock()
		commands = append(commands, strings.TrimSpace(command))
		if len(commands) == n || lasts && len(commands) > n {
			return fault
		}
		return ""
	})
	err = w.do(t.Context(), b, token)
	f.answers(nil)
	f.dropAll()
	f.mu.Lock()
	sent := slices.Clone(commands)
	f.mu.Unlock()
	if len(sent) < n {
		must(t, err)
		return false
	}
	what := fmt.Sprintf("%s, %s at command %d (lasts: %v) of %q", w.name, fault, n, lasts, sent)
	times := f.changed("k") - changes
	if times > 1 {
		t.Errorf("%s: %d effects", what, times)
	}
	switch {
	case err == nil, errors.Is(err, cache.ErrUnknownOutcome) && !errors.Is(err, cache.ErrUnavailable):
	case !errors.Is(err, cache.ErrUnavailable):
		t.Errorf("%s: %v", what, err)
	default:
		after, is, err := b.Get(t.Context(), "k")
		if again, _ := f.at("k"); times > 0 || again != e || is != was || string(after) != string(before) || err != nil {
			t.Errorf("%s: ErrUnavailable after an effect: %v, %v, %v", what, is, times, err)
		}
	}
	return true
}

// The second reply to Add and Delete describes what is present. Its failure does not change
// the outcome.
func TestFailureOfSecondReply(t *testing.T) {
	for _, reply := range []string{"SERVER_ERROR Connection refused\r\n", "SERVER_ERROR timeout\r\n", outOfMemory} {
		f, b := startText(t, func(_ int, command string) string {
			if command == "mg k" || command == "mg k f c" {
				return reply
			}
			return ""
		})
		if added, err := b.Add(t.Context(), "k", []byte("v"), 0); !added || err != nil {
			t.Errorf("Add = %v, %v; want true", added, err)
		}
		if added, err := b.Add(t.Context(), "k", []byte("v"), 0); added || err != nil {
			t.Errorf("Add of a present key = %v, %v; want false", added, err)
		}
		for _, want := range []bool{true, false} {
			if deleted, err := b.Delete(t.Context(), "k"); deleted != want || err != nil {
				t.Errorf("Delete = %v, %v; want %v", deleted, err, want)
			}
		}
		f.answers(on("SERVER_ERROR Connection refused\r\n", "mn"))
		if err := b.SetMany(t.Context(), []driver.Item{{Key: "k"}, {Key: "l"}}, 0); !errors.Is(err, cache.ErrUnknownOutcome) {
			t.Errorf("SetMany without its last reply: %v; want ErrUnknownOutcome", err)
		}
	}
}

// Delete of a large value that cannot remove the index leaves the chunks, which may be on
// other servers.
func TestFailedDeleteOfLargeValue(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		first, second := startFake(t, nil), startFake(t, nil)
		o.Spread, o.ChunkSize, o.MaxChunks, o.Servers = true, 100, 10, []string{first.addr, second.addr}
		b := start(t, o)
		must(t, b.Set(t.Context(), "k", largeValue(1000), 0))
		owner, other := first, second
		if _, ok := first.at("k"); !ok {
			owner, other = second, first
		}
		before := other.keys()
		owner.answers(func(n int, command string) string {
			if strings.HasPrefix(command, "mg k f T-1") || strings.TrimSpace(command) == "0x04 k" {
				return hangUp
			}
			return ""
		})
		if _, err := b.Delete(t.Context(), "k"); !errors.Is(err, cache.ErrUnknownOutcome) {
			t.Errorf("Delete: %v; want ErrUnknownOutcome", err)
		}
		if after := other.keys(); !slices.Equal(after, before) {
			t.Errorf("the chunks %q are left of %q", after, before)
		}
		owner.answers(nil)
		b.mustGet(t, "k", string(largeValue(1000)))
	})
}

// gomemcache counts without comparing. A sum that overflows is reverted; if that fails, the
// outcome is unknown.
func TestBorrowedIncThatOverflows(t *testing.T) {
	const most = "9223372036854775807"
	for reply, want := range map[string]error{"": cache.ErrNotInteger, "SERVER_ERROR Connection refused\r\n": cache.ErrUnknownOutcome, hangUp: cache.ErrUnknownOutcome, outOfMemory: cache.ErrUnknownOutcome} {
		f := startFake(t, nil)
		f.store("k", entry{value: "1"})
		f.answers(func(n int, command string) string {
			if !strings.HasPrefix(command, "incr") {
				return ""
			}
			if n == 1 {
				f.store("k", entry{value: most})
				return ""
			}
			return reply
		})
		_, err := borrow(t, f, Options{}).Inc(t.Context(), "k", 2, 0)
		if !errors.Is(err, want) || errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrFull) {
			t.Errorf("%q: %v; want %v", reply, err, want)
		}
		if e, _ := f.at("k"); (e.value == most) != (reply == "") {
			t.Errorf("%q: %s is stored", reply, e.value)
		}
	}
}

// An item of SetMany that is absent after the server rejected one of them may have been
// stored and removed since: if it cannot be added once more, its outcome is unknown.
func TestServerFailsAfterRejectedItem(t *testing.T) {
	f, b := startText(t, nil)
	f.answers(func(_ int, command string) string {
		switch {
		case strings.HasPrefix(command, "ms k1 "):
			return outOfMemory
		case command == "mn":
			f.remove("k2")
		case strings.HasPrefix(command, "mg k2 "):
			f.listener.Close()
			return partial + "EN\r\n"
		}
		return ""
	})
	err := b.SetMany(t.Context(), []driver.Item{{Key: "k1"}, {Key: "k2"}}, 0)
	var batch *cache.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 2 {
		t.Fatalf("SetMany: %v; want two failures", err)
	}
	for _, failed := range batch.Failed {
		if !errors.Is(failed.Err, cache.ErrUnknownOutcome) {
			t.Errorf("%s: %v; want ErrUnknownOutcome", failed.Key, failed.Err)
		}
	}
}
