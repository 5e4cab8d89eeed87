package redis

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// slotOf follows the specification of Redis Cluster.
func slotOf(key string) uint16 {
	if _, rest, found := strings.Cut(key, "{"); found {
		if tag, _, closed := strings.Cut(rest, "}"); closed && tag != "" {
			key = tag
		}
	}
	return checksum(0, key) % slots
}

func TestSlotOfLease(t *testing.T) {
	if got := slotOf("123456789"); got != 0x31C3%slots { // the example of the specification
		t.Fatalf("slot %d", got)
	}
	keys := []string{"k", "{tag}k", "k{tag}", "{}k", "k{", "k}", "}k{", "{a}{b}", "{{a}}", "{", "}", "{}", "\x00", "}}{{"}
	for range 100_000 {
		key := make([]byte, 1+rand.IntN(20))
		for i := range key {
			key[i] = "{}ab\x00\xff"[rand.IntN(6)]
		}
		keys = append(keys, string(key))
	}
	for i := range 100_000 {
		keys = append(keys, fmt.Sprint("key:", i))
	}
	for _, key := range keys {
		name := leaseName(key)
		if slotOf(name) != slotOf(key) || !strings.HasPrefix(name, key) || !isLeaseName(name) || isLeaseName(key) {
			t.Fatalf("the lease of %q is %q, slot %d; want slot %d", key, name, slotOf(name), slotOf(key))
		}
	}
}

// Whatever two bytes one checksum needs, another checksum of the same slot needs no brace.
func TestEveryLeaseHasAName(t *testing.T) {
	for last := range 1 << 16 {
		found := false
		for i := range uint16(4) {
			pair := uint16(last) ^ unshift(i*slots)
			found = found || pair>>8 != '}' && pair&0xff != '}'
		}
		if !found {
			t.Fatalf("no pair for %#x", last)
		}
	}
}

// Names of leases are refused as keys, in batches by name, before anything is sent.
func TestNamesOfLeasesAreNoKeys(t *testing.T) {
	f := startHealthy(t, nil)
	b := start(t, Options{Addr: f.addr})
	name := leaseName("k")
	ctx := t.Context()
	for verb, call := range map[string]func(key string) error{
		"Get":    func(key string) error { _, _, err := b.Get(ctx, key); return err },
		"Has":    func(key string) error { _, err := b.Has(ctx, key); return err },
		"TTL":    func(key string) error { _, _, err := b.TTL(ctx, key); return err },
		"Set":    func(key string) error { return b.Set(ctx, key, nil, 0) },
		"Add":    func(key string) error { _, err := b.Add(ctx, key, nil, 0); return err },
		"Inc":    func(key string) error { _, err := b.Inc(ctx, key, 1, 0); return err },
		"Delete": func(key string) error { _, err := b.Delete(ctx, key); return err },
		"GetMany": func(key string) error {
			_, err := b.GetMany(ctx, []string{"k", key})
			return named(err, key)
		},
		"SetMany": func(key string) error {
			return named(b.SetMany(ctx, []driver.Item{{Key: "k"}, {Key: key}}, 0), key)
		},
		"DeleteMany": func(key string) error {
			_, err := b.DeleteMany(ctx, []string{"k", key})
			return named(err, key)
		},
		"GetAppend":  func(key string) error { _, _, err := b.GetAppend(ctx, key, nil); return err },
		"GetWithTTL": func(key string) error { _, _, _, err := b.GetWithTTL(ctx, key); return err },
		"GetManyWithTTL": func(key string) error {
			_, _, err := b.GetManyWithTTL(ctx, []string{"k", key})
			return named(err, key)
		},
		"Lease":          func(key string) error { _, _, _, err := b.Lease(ctx, key, driver.MaxHold); return err },
		"Fill":           func(key string) error { _, err := b.Fill(ctx, key, "token", nil, 0); return err },
		"Release":        func(key string) error { return b.Release(ctx, key, "token") },
		"CompareAndSwap": func(key string) error { _, err := b.CompareAndSwap(ctx, key, nil, nil, 0); return err },
	} {
		if err := call(name); !errors.Is(err, cache.ErrInvalidKey) {
			t.Errorf("%s: %v; want ErrInvalidKey", verb, err)
		}
	}
	if n := f.count("conns"); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// named returns err if it is the error of key alone.
func named(err error, key string) error {
	var batch *driver.BatchError
	if errors.As(err, &batch) && len(batch.Failed) == 1 && batch.Failed[0].Key == key {
		return err
	}
	return fmt.Errorf("%v, want an error of the one key", err)
}
