package memcached

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// each runs a test with every kind of client.
func each(t *testing.T, test func(t *testing.T, f *fake, b *Backend)) {
	for name, o := range map[string]Options{
		"text": {}, "binary": {Protocol: Binary}, "spread text": {Spread: true}, "spread binary": {Protocol: Binary, Spread: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, nil)
			o.Servers = []string{f.addr}
			test(t, f, start(t, o))
		})
	}
	t.Run("borrowed", func(t *testing.T) {
		f := startFake(t, nil)
		test(t, f, borrow(t, f, Options{}))
	})
}

// borrow makes a backend over a client of gomemcache.
func borrow(t *testing.T, f *fake, o Options) *Backend {
	t.Helper()
	client := memcache.New(f.addr)
	client.Timeout = ample
	b, err := NewFromClient(client, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(); client.Close() })
	return b
}

func (b *Backend) mustGet(t *testing.T, key, want string) {
	t.Helper()
	value, ok, err := b.Get(t.Context(), key)
	if err != nil || !ok || string(value) != want {
		t.Errorf("Get(%q) = %.40q, %v, %v; want %.40q", key, value, ok, err, want)
	}
}

func (b *Backend) mustMiss(t *testing.T, key string) {
	t.Helper()
	if value, ok, err := b.Get(t.Context(), key); err != nil || ok {
		t.Errorf("Get(%q) = %.40q, %v, %v; want a miss", key, value, ok, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOperations(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		ctx := t.Context()
		b.mustMiss(t, "k")
		must(t, b.Set(ctx, "k", []byte("END\r\n"), time.Minute))
		b.mustGet(t, "k", "END\r\n")
		if e, _ := f.at("k"); e.expiry != 62 || e.flags != 0 {
			t.Errorf("stored with expiry %d and flags %d; want 62 and 0", e.expiry, e.flags)
		}
		if added, err := b.Add(ctx, "k", []byte("new"), 0); added || err != nil {
			t.Errorf("Add of a present key: %v, %v", added, err)
		}
		if added, err := b.Add(ctx, "new", nil, 0); !added || err != nil {
			t.Errorf("Add of an absent key: %v, %v", added, err)
		}
		b.mustGet(t, "new", "")
		for key, want := range map[string]bool{"k": true, "absent": false} {
			if has, err := b.Has(ctx, key); has != want || err != nil {
				t.Errorf("Has(%q) = %v, %v", key, has, err)
			}
			if deleted, err := b.Delete(ctx, key); deleted != want || err != nil {
				t.Errorf("Delete(%q) = %v, %v", key, deleted, err)
			}
		}
		b.mustMiss(t, "k")
		must(t, b.Ping(ctx))
	})
}

func TestBatches(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		const n = 2500 // more than a round trip takes
		items, keys := make([]driver.Item, n), make([]string, n)
		for i := range items {
			keys[i] = fmt.Sprintf("k%d", i)
			items[i] = driver.Item{Key: keys[i], Value: []byte("v" + keys[i])}
		}
		must(t, b.SetMany(t.Context(), items, time.Minute))
		values, err := b.GetMany(t.Context(), []string{"k7", "absent", "k2499", "k7"})
		must(t, err)
		if got := fmt.Sprintf("%s", values); got != "[vk7  vk2499 vk7]" || values[1] != nil {
			t.Errorf("GetMany = %s", got)
		}
		values, err = b.GetMany(t.Context(), keys)
		must(t, err)
		if i := slices.IndexFunc(values, func(v []byte) bool { return v == nil }); i >= 0 {
			t.Errorf("%s is missing", keys[i])
		}
		deleted, err := b.DeleteMany(t.Context(), []string{"k3", "absent", "k4"})
		if fmt.Sprint(deleted) != "[true false true]" || err != nil {
			t.Errorf("DeleteMany = %v, %v", deleted, err)
		}
		for _, batch := range []func() error{
			func() error { return b.SetMany(t.Context(), nil, 0) },
			func() error { _, err := b.GetMany(t.Context(), nil); return err },
			func() error { _, err := b.DeleteMany(t.Context(), nil); return err },
		} {
			must(t, batch())
		}
	})
}

func TestInc(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		inc := func(delta, want int64) {
			t.Helper()
			if sum, err := b.Inc(t.Context(), "n", delta, time.Hour); sum != want || err != nil {
				t.Errorf("Inc by %d = %d, %v; want %d", delta, sum, err, want)
			}
			b.mustGet(t, "n", fmt.Sprint(want))
		}
		refused := func(value string, delta int64) {
			t.Helper()
			must(t, b.Set(t.Context(), "n", []byte(value), time.Minute))
			if sum, err := b.Inc(t.Context(), "n", delta, 0); !errors.Is(err, cache.ErrNotInteger) {
				t.Errorf("Inc of %q by %d = %d, %v; want ErrNotInteger", value, delta, sum, err)
			}
			b.mustGet(t, "n", value)
		}
		inc(100, 100)
		e, _ := f.at("n")
		if e.expiry != 3602 {
			t.Errorf("the expiry of a new counter is %d", e.expiry)
		}
		inc(-1, 99)
		inc(-90, 9)
		inc(91, 100)
		if e, _ := f.at("n"); e.expiry != 3602 && e.expiry != fakeTime+3602 {
			t.Errorf("the expiry became %d", e.expiry)
		}
		for _, text := range []string{"text", "", "1.5", "5 apples", "0x10", "--1", "9223372036854775808", "007", "+5", "-0", "5 ", " 5", "5\n", "10  ", "-5 ", "007 "} {
			refused(text, 1)
		}
		refused(fmt.Sprint(int64(math.MaxInt64)), 1)
		if b.meta == nil {
			refused("1", -2)
			return
		}
		refused(fmt.Sprint(int64(math.MinInt64)), -1)
		must(t, b.Set(t.Context(), "n", []byte("1"), time.Minute))
		inc(-3, -2)
		if e, _ := f.at("n"); e.expiry != fakeTime+62 {
			t.Errorf("the expiry of a number that has been stored anew is %d, not the date %d", e.expiry, fakeTime+62)
		}
		inc(math.MinInt64+2, math.MinInt64)
		must(t, b.Set(t.Context(), "n", []byte("0"), 0))
		inc(-1, -1)
		if e, _ := f.at("n"); e.expiry != 0 {
			t.Errorf("a counter for ever has become one with expiry %d", e.expiry)
		}
		f.store("n", entry{value: "100"})
		inc(-1, 99)
		if e, _ := f.at("n"); e.value != "99" {
			t.Errorf("a number that got shorter is stored as %q", e.value)
		}
	})
}

// Other clients read a flag as a type: pylibmc has 4 for integers, which PHP takes for a
// serialized value; python-memcached has 2, which Dalli takes for a compressed one.
func TestFlags(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		for text, want := range map[string]uint32{
			"": 0, "0": 0, "5": 0, "-5": 0, "9223372036854775807": 0, "text": 0, "text ": 0, " ": 0, "5  6": 0, "-5 ": 0, "007 ": 0,
			"123456789012345678901 ": 0, "5 ": 1 << 16, "0  ": 1 << 16, "1844674407370955161 ": 1 << 16,
		} {
			check := func(verb, key string) {
				t.Helper()
				if e, _ := f.at(key); e.flags != want || e.value != text {
					t.Errorf("%s stores %q as %q with flags %d; want %d", verb, text, e.value, e.flags, want)
				}
				b.mustGet(t, key, text)
				if values, err := b.GetMany(t.Context(), []string{key}); err != nil || string(values[0]) != text {
					t.Errorf("GetMany of %q = %q, %v", text, values, err)
				}
			}
			must(t, b.Set(t.Context(), "set", []byte(text), 0))
			check("Set", "set")
			f.remove("add")
			if _, err := b.Add(t.Context(), "add", []byte(text), 0); err != nil {
				t.Error(err)
			}
			check("Add", "add")
			must(t, b.SetMany(t.Context(), []driver.Item{{Key: "many", Value: []byte(text)}}, 0))
			check("SetMany", "many")
		}
		if _, err := b.Inc(t.Context(), "counter", 7, 0); err != nil {
			t.Error(err)
		}
		if e, _ := f.at("counter"); e.flags != 0 || e.value != "7" {
			t.Errorf("Inc stores %q with flags %d", e.value, e.flags)
		}
	})
}

// What another client has stored is an integer if its text is one, whatever its flags.
// They stay, so that the other client reads the sum.
func TestIncOfForeignNumbers(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		for _, flags := range []uint32{0, 1, 2, 4, 16, 1 << 31} {
			for text, sum := range map[string]string{"41": "42", "41 ": "42", "9   ": "10", "0": "1"} {
				f.store("n", entry{value: text, flags: flags, expiry: 100})
				want, _ := strconv.ParseInt(sum, 10, 64)
				if n, err := b.Inc(t.Context(), "n", 1, 0); n != want || err != nil {
					t.Errorf("Inc of %q with flags %d = %d, %v; want %s", text, flags, n, err, sum)
				}
				b.mustGet(t, "n", sum)
				if e, _ := f.at("n"); e.flags != flags {
					t.Errorf("Inc turns flags %d into %d", flags, e.flags)
				}
			}
			if b.meta == nil {
				continue
			}
			f.store("n", entry{value: "1", flags: flags, expiry: 100})
			if n, err := b.Inc(t.Context(), "n", -3, 0); n != -2 || err != nil {
				t.Errorf("Inc below zero = %d, %v", n, err)
			}
			if e, _ := f.at("n"); e.flags != flags || e.value != "-2" {
				t.Errorf("below zero it is %q with flags %d; want %d", e.value, e.flags, flags)
			}
			f.store("n", entry{value: "text", flags: flags})
			if _, err := b.Inc(t.Context(), "n", 1, 0); !errors.Is(err, cache.ErrNotInteger) {
				t.Errorf("Inc of text: %v", err)
			}
		}
	})
}

// Another client counts between reading and writing.
func TestIncAmongConcurrentWriters(t *testing.T) {
	for _, o := range []Options{{}, {Protocol: Binary}} {
		f := startFake(t, nil)
		f.store("n", entry{value: "1"})
		f.answers(func(n int, command string) string {
			if name, _, _ := strings.Cut(command, " "); n == 1 && (name == "ma" || name == "0x05") {
				f.store("n", entry{value: "10"})
			}
			return ""
		})
		o.Servers = []string{f.addr}
		if sum, err := start(t, o).Inc(t.Context(), "n", 1, 0); sum != 11 || err != nil {
			t.Errorf("Inc = %d, %v; want 11", sum, err)
		}
	}
}

func TestTTL(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		f.store("brief", entry{expiry: 5})
		f.store("for-ever", entry{})
		for key, want := range map[string]time.Duration{"brief": 5 * time.Second, "for-ever": 0, "absent": 0} {
			left, ok, err := b.TTL(t.Context(), key)
			if b.meta == nil {
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("TTL: %v", err)
				}
				continue
			}
			if left != want || ok != (key != "absent") || err != nil {
				t.Errorf("TTL(%q) = %v, %v, %v", key, left, ok, err)
			}
		}
	})
}

func TestExpiry(t *testing.T) { synctest.Test(t, testExpiry) }

// testExpiry runs in a bubble, where time stands still.
func testExpiry(t *testing.T) {
	now := time.Now().Unix()
	for ttl, want := range map[time.Duration]int64{
		0: 0, 1: 3, time.Millisecond: 3, time.Second: 3, time.Second + 1: 4, 1500 * time.Millisecond: 4,
		(wire.MaxRelative - 2) * time.Second: wire.MaxRelative,
		(wire.MaxRelative - 1) * time.Second: now + wire.MaxRelative + 1,
		40 * 365 * 24 * time.Hour:            lastDate,
		math.MaxInt64:                        lastDate,
	} {
		got := expiryOf(ttl)
		if got != want {
			t.Errorf("expiryOf(%v) = %d; want %d", ttl, got, want)
		}
		if chunk := later(got, 60); chunk < got || got != 0 && got < lastDate && chunk == got {
			t.Errorf("later(%d, 60) = %d", got, chunk)
		}
	}
	if got := later(wire.MaxRelative-10, 60); got < now+wire.MaxRelative+50 {
		t.Errorf("a relative expiry beyond 30 days: %d", got)
	}
}

func TestKeys(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		longest := strings.Repeat("k", b.keyLimit)
		must(t, b.Set(t.Context(), longest, []byte("v"), 0))
		b.mustGet(t, longest, "v")
		f.answers(func(int, string) string { t.Error("something was sent"); return "" })
		for _, key := range []string{"", " ", "a b", "a\n", "a\r\nflush_all\r\n", "\x00", "\x1f", "a\x7f", longest + "k"} {
			for _, v := range verbs {
				if v.key == nil {
					continue
				}
				if err := v.key(t.Context(), b, key); !errors.Is(err, cache.ErrInvalidKey) {
					t.Errorf("%s of %q: %v; want ErrInvalidKey", v.name, key, err)
				}
			}
		}
		if err := b.Set(t.Context(), longest+"k", nil, 0); err == nil || !strings.Contains(err.Error(), fmt.Sprint(b.keyLimit)) {
			t.Errorf("the limit is not in %q", err)
		}
	})
}

// One invalid key fails a batch before anything is sent, and results have one element
// per key.
func TestInvalidKeyInBatch(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		must(t, b.Set(t.Context(), "good", []byte("v"), 0))
		f.answers(func(int, string) string { t.Error("something was sent"); return "" })
		keys := []string{"good", "not good", ""}
		values, errGet := b.GetMany(t.Context(), keys)
		deleted, errDelete := b.DeleteMany(t.Context(), keys)
		errSet := b.SetMany(t.Context(), []driver.Item{{Key: "good"}, {Key: "not good"}, {Key: ""}}, 0)
		if len(values) != 3 || len(deleted) != 3 || values[0] != nil || deleted[0] {
			t.Errorf("GetMany returned %q, DeleteMany %v", values, deleted)
		}
		for name, err := range map[string]error{"GetMany": errGet, "DeleteMany": errDelete, "SetMany": errSet} {
			var batch *cache.BatchError
			if !errors.As(err, &batch) || len(batch.Failed) != 2 || batch.Failed[0].Key != "not good" || batch.Failed[1].Key != "" || !errors.Is(err, cache.ErrInvalidKey) {
				t.Errorf("%s: %v; want the failure of the invalid keys alone", name, err)
			}
		}
		f.answers(nil)
		b.mustGet(t, "good", "v")
	})
}

// A value that is too large is not sent: the server would drop the old one.
func TestTooLarge(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		if b.options.Spread {
			t.Skip("spread_test.go")
		}
		must(t, b.Set(t.Context(), "k", []byte("old"), 0))
		large := make([]byte, 1<<20-itemOverhead+1)
		if err := b.Set(t.Context(), "k", large, 0); !errors.Is(err, cache.ErrTooLarge) || !strings.Contains(err.Error(), "(spread)") {
			t.Errorf("Set: %v", err)
		}
		if _, err := b.Add(t.Context(), "new", large, 0); !errors.Is(err, cache.ErrTooLarge) {
			t.Errorf("Add: %v", err)
		}
		err := b.SetMany(t.Context(), []driver.Item{{Key: "k", Value: large}, {Key: "small", Value: []byte("v")}}, 0)
		var batch *cache.BatchError
		if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != "k" || !errors.Is(err, cache.ErrTooLarge) {
			t.Errorf("SetMany: %v", err)
		}
		b.mustGet(t, "k", "old")
		b.mustGet(t, "small", "v")
		must(t, b.Set(t.Context(), "k", large[1:], 0))
		b.mustGet(t, "k", string(large[1:]))
	})
}

// The server has a smaller -I than Options.MaxItemSize.
func TestTooLargeForTheServer(t *testing.T) {
	for _, o := range []Options{{}, {Protocol: Binary}} {
		f := startFake(t, nil)
		f.maxBytes = 1000
		o.Servers = []string{f.addr}
		b := start(t, o)
		items := []driver.Item{{Key: "a", Value: []byte("v")}, {Key: "b", Value: make([]byte, 2000)}, {Key: "c", Value: []byte("v")}}
		err := b.SetMany(t.Context(), items, 0)
		var batch *cache.BatchError
		if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != "b" || !errors.Is(err, cache.ErrTooLarge) {
			t.Errorf("SetMany: %v", err)
		}
		b.mustGet(t, "c", "v")
		if err := b.Set(t.Context(), "b", make([]byte, 2000), 0); !errors.Is(err, cache.ErrTooLarge) {
			t.Errorf("Set: %v", err)
		}
		if n := f.count("conns"); n != 1 {
			t.Errorf("%d connections; want 1: none was out of step", n)
		}
	}
}

func TestFull(t *testing.T) {
	full := map[string]string{
		"text":     outOfMemory,
		"borrowed": outOfMemory,
		"binary":   frame(codeSet, statusFull, 0, 0, "", "", "Out of memory"),
	}
	each(t, func(t *testing.T, f *fake, b *Backend) {
		mode := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
		if b.options.Spread {
			t.Skip("as without")
		}
		must(t, b.Set(t.Context(), "k", []byte("v"), 0))
		f.answers(on(full[mode], "ms", "set", "0x01"))
		if err := b.Set(t.Context(), "new", []byte("v"), 0); !errors.Is(err, cache.ErrFull) {
			t.Errorf("Set: %v; want ErrFull", err)
		}
		b.mustGet(t, "k", "v")
		if mode != "binary" {
			f.answers(on("SERVER_ERROR Out of memory during read\r\n", "ms", "set")) // of a large value
			if err := b.Set(t.Context(), "new", []byte("v"), 0); !errors.Is(err, cache.ErrFull) {
				t.Errorf("Set of a large value: %v; want ErrFull", err)
			}
		}
		if deleted, err := b.Delete(t.Context(), "k"); !deleted || err != nil {
			t.Errorf("Delete: %v, %v", deleted, err)
		}
	})
	// In a batch, only some items fail.
	f := startFake(t, func(n int, command string) string {
		if strings.HasPrefix(command, "ms b ") {
			return full["text"]
		}
		if strings.HasPrefix(command, "0x11 b") {
			return frame(codeSetQuiet, statusFull, 1, 0, "", "", "Out of memory")
		}
		return ""
	})
	for _, o := range []Options{{Servers: []string{f.addr}}, {Servers: []string{f.addr}, Protocol: Binary}} {
		err := start(t, o).SetMany(t.Context(), []driver.Item{{Key: "a"}, {Key: "b"}, {Key: "c"}}, 0)
		var batch *cache.BatchError
		if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != "b" || !errors.Is(err, cache.ErrFull) {
			t.Errorf("SetMany: %v; want ErrFull for b alone", err)
		}
	}
}

func TestClear(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		f.store("k", entry{})
		if err := b.Clear(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Clear: %v; want ErrUnsupported", err)
		}
		if len(f.keys()) != 1 {
			t.Error("Clear removed entries though it failed")
		}
		b.options.AllowFlush = true
		must(t, b.Clear(t.Context()))
		if len(f.keys()) != 0 {
			t.Error("Clear left entries")
		}
	})
}

func TestClearPrefix(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		for i := range 2100 {
			f.store(fmt.Sprintf("a%%:%d", i), entry{})
		}
		if strings.HasSuffix(t.Name(), "/text") {
			b = start(t, Options{Servers: []string{f.addr}, PoolSize: 1}) // the list needs no connection of the pool
		}
		f.store("a%", entry{})
		f.store("b:é", entry{})
		err := b.ClearPrefix(soon(t, ample/2), "a%:")
		if b.meta == nil {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("ClearPrefix: %v", err)
			}
			return
		}
		must(t, err)
		must(t, b.ClearPrefix(t.Context(), "b:é"))
		if got := fmt.Sprint(f.keys()); got != "[a%]" {
			t.Errorf("left: %.200s", got)
		}
		f.answers(func(n int, command string) string {
			if n < 4 && strings.HasPrefix(command, "lru_crawler") {
				return "BUSY currently processing crawler request\r\n"
			}
			return ""
		})
		must(t, b.ClearPrefix(t.Context(), "a"))
		if len(f.keys()) != 0 {
			t.Error("nothing was removed after the server had been busy")
		}
		for _, answer := range []string{"CLIENT_ERROR lru crawler disabled\r\n", "ERROR metadump not allowed\r\n"} {
			f.answers(on(answer, "lru_crawler"))
			if err := b.ClearPrefix(t.Context(), "a"); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("ClearPrefix if listing keys is disabled: %v", err)
			}
		}
	})
}

func TestClose(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		must(t, b.Set(t.Context(), "k", nil, 0))
		must(t, b.Close())
		must(t, b.Close())
		for _, v := range verbs {
			if err := v.call(t.Context(), b); !errors.Is(err, cache.ErrClosed) {
				t.Errorf("%s after Close: %v", v.name, err)
			}
		}
	})
}

// Close does not close a client of the application.
func TestBorrowedClientStaysOpen(t *testing.T) {
	f := startFake(t, nil)
	client := memcache.New(f.addr)
	defer client.Close()
	b, err := NewFromClient(client, Options{})
	must(t, err)
	must(t, b.Set(t.Context(), "k", []byte("v"), 0))
	must(t, b.Close())
	if _, err := client.Get("k"); err != nil || f.count("conns") != 1 {
		t.Errorf("after Close the client gives %v, and has had %d connections", err, f.count("conns"))
	}
	for _, o := range []Options{{Servers: []string{"h:1"}}, {Username: "u"}, {PoolSize: 1}, {Distribution: Ketama}} {
		if _, err := NewFromClient(client, o); err == nil {
			t.Errorf("NewFromClient accepts %+v", o)
		}
	}
	if _, err := NewFromClient(nil, Options{}); err == nil {
		t.Error("NewFromClient accepts nil")
	}
}

// A value belongs to the caller that read it.
func TestMemoryIsNotShared(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		value := []byte("value")
		must(t, b.Set(t.Context(), "a", value, 0))
		clear(value)
		must(t, b.Set(t.Context(), "b", []byte("other"), 0))
		values, err := b.GetMany(t.Context(), []string{"a", "b", "a"})
		must(t, err)
		_ = append(values[0], "XXXXXXXXXX"...)
		clear(values[0])
		if !bytes.Equal(values[1], []byte("other")) || !bytes.Equal(values[2], []byte("value")) {
			t.Errorf("values of GetMany share memory: %q", values)
		}
	})
}
