package memcached

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

const (
	maxQuiet  = 4 << 10 // the largest value, in bytes, that is set without a reply of its own
	chunkKeys = 1000    // of one round trip
)

const outOfMemory = "SERVER_ERROR out of memory storing object\r\n"

// hundred returns items k0 to k99 with values of size bytes.
func hundred(size int) (items []driver.Item, keys []string) {
	for i := range 100 {
		keys = append(keys, fmt.Sprintf("k%d", i))
		items = append(items, driver.Item{Key: keys[i], Value: make([]byte, size)})
	}
	return items, keys
}

// A batch of sets has one reply, unless an outcome is unexpected. A delete has the flags
// of what it removes.
func TestQuietBatches(t *testing.T) {
	f := startFake(t, nil)
	b := start(t, Options{Servers: []string{f.addr}})
	items, keys := hundred(maxQuiet)
	must(t, b.SetMany(t.Context(), items, 0))
	deleted, err := b.DeleteMany(t.Context(), append(keys, "absent"))
	if err != nil || slices.Contains(deleted[:100], false) || deleted[100] {
		t.Errorf("DeleteMany = %v, %v", deleted, err)
	}
	if ends, looks := f.count("mn"), f.count("mg"); ends != 1 || looks != 202 {
		t.Errorf("%d commands at the end and %d mg for two batches", ends, looks)
	}
	// The server may not report a large value that it could not store.
	items, _ = hundred(maxQuiet + 1)
	must(t, b.SetMany(t.Context(), items, 0))
	if n := f.count("mn"); n != 1 {
		t.Error("large values are stored quietly")
	}
}

// Rejected items are found and tried again; nothing that was stored is stored twice.
func TestRejectedInBatch(t *testing.T) {
	f := startFake(t, nil)
	b := start(t, Options{Servers: []string{f.addr}})
	f.answers(func(n int, command string) string {
		rejected := slices.Contains([]string{"k3", "k5", "k7"}, strings.Fields(command + " -")[1])
		switch {
		case rejected && strings.HasSuffix(command, " q"):
			return outOfMemory
		case command == "mn": // another writer is faster
			f.store("k2", entry{value: "newer"})
			f.store("k5", entry{value: "newer"})
		case strings.HasPrefix(command, "ms k3 "):
			return "SERVER_ERROR object too large for cache\r\n"
		case strings.HasPrefix(command, "ms k7 "): // or comes just before the second try
			f.store("k7", entry{value: "newer"})
		}
		return ""
	})
	items, _ := hundred(10)
	err := b.SetMany(t.Context(), items, 0)
	var batch *cache.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != "k3" || !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("SetMany: %v; want the failure of k3 alone", err)
	}
	b.mustGet(t, "k2", "newer")
	b.mustGet(t, "k5", "newer")
	b.mustGet(t, "k7", "newer")
	if n := f.count("ms"); n != 102 {
		t.Errorf("%d sets for 100 items of which two were absent", n)
	}
	// The second try succeeds.
	f.answers(func(n int, command string) string {
		if strings.HasPrefix(command, "ms k3 ") && strings.HasSuffix(command, " q") {
			return outOfMemory
		}
		return ""
	})
	must(t, b.SetMany(t.Context(), items, 0))
	b.mustGet(t, "k3", string(items[3].Value))
	if n := f.count("conns"); n != 1 {
		t.Errorf("%d connections; want 1, for none was out of step", n)
	}
}

// If the rejected items cannot be found, the outcome of the whole round trip is unknown.
func TestRejectedInBatchAndLost(t *testing.T) {
	for _, lost := range []string{"mg", "ms"} {
		f := startFake(t, nil)
		f.answers(func(n int, command string) string {
			name, _, _ := strings.Cut(command, " ")
			switch {
			case strings.HasPrefix(command, "ms k3 ") && strings.HasSuffix(command, " q"):
				return outOfMemory
			case name == lost && !strings.HasSuffix(command, " q"):
				return hangUp
			}
			return ""
		})
		items, _ := hundred(10)
		err := start(t, Options{Servers: []string{f.addr}}).SetMany(t.Context(), items, 0)
		failed := 100
		if lost == "ms" {
			failed = 1
		}
		var batch *cache.BatchError
		if !errors.As(err, &batch) || len(batch.Failed) != failed || !errors.Is(err, cache.ErrUnknownOutcome) || errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("SetMany without an answer to %s: %v; want ErrUnknownOutcome for %d", lost, err, failed)
		}
	}
}

// After a failure, the keys of the round trips that follow are skipped.
func TestBatchEndsAfterFailure(t *testing.T) {
	const n = chunkKeys + 500
	items, keys := make([]driver.Item, n), make([]string, n)
	for i := range items {
		keys[i] = fmt.Sprintf("k%d", i)
		items[i].Key = keys[i]
	}
	for name, tt := range map[string]struct {
		lost []string // commands whose reply is lost
		call func(b *Backend) error
		want error
	}{
		"GetMany":    {[]string{"get", "0x0a"}, func(b *Backend) error { _, err := b.GetMany(t.Context(), keys); return err }, cache.ErrUnavailable},
		"SetMany":    {[]string{"mn", "0x0a"}, func(b *Backend) error { return b.SetMany(t.Context(), items, 0) }, cache.ErrUnknownOutcome},
		"DeleteMany": {[]string{"mg", "0x0a"}, func(b *Backend) error { _, err := b.DeleteMany(t.Context(), keys); return err }, cache.ErrUnknownOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			bothProtocols(t, func(t *testing.T, o Options) {
				f := startFake(t, on(hangUp, tt.lost...))
				for _, key := range keys {
					if name == "DeleteMany" { // an absent key has a reply of its own
						f.store(key, entry{})
					}
				}
				o.Servers = []string{f.addr}
				err := tt.call(start(t, o))
				var batch *cache.BatchError
				if !errors.As(err, &batch) || len(batch.Failed) != n {
					t.Fatalf("%v; want all keys to fail", err)
				}
				first, last := batch.Failed[0].Err, batch.Failed[n-1].Err
				if !errors.Is(first, tt.want) || strings.Contains(first.Error(), "skipped") {
					t.Errorf("the first key: %v; want %v", first, tt.want)
				}
				if !errors.Is(last, cache.ErrUnavailable) || errors.Is(last, cache.ErrUnknownOutcome) || !strings.Contains(last.Error(), "skipped after another key failed") {
					t.Errorf("the last key: %v; want it skipped, as nothing was sent", last)
				}
			})
		})
	}
}

func TestMalformedQuietReplies(t *testing.T) {
	for _, answer := range []string{
		"NF\r\nMN\r\n", "HD\r\nMN\r\n", "ERROR\r\nMN\r\n", "CLIENT_ERROR bad data chunk\r\nMN\r\n",
		strings.Repeat(outOfMemory, 3) + "MN\r\n", partial + "MN",
	} {
		_, b := startText(t, on(answer, "mn"))
		err := b.SetMany(t.Context(), []driver.Item{{Key: "a"}, {Key: "b"}}, 0)
		if !errors.Is(err, cache.ErrUnknownOutcome) {
			t.Errorf("SetMany with the reply %q: %v; want ErrUnknownOutcome", answer, err)
		}
	}
}
