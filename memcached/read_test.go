package memcached

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// wantTTL checks GetWithTTL and GetManyWithTTL. ttl is 0 for never; otherwise an hour is
// more than this test takes.
func (b *Backend) wantTTL(t *testing.T, key, value string, ttl time.Duration) {
	t.Helper()
	got, left, ok, err := b.GetWithTTL(t.Context(), key)
	values, lefts, many := b.GetManyWithTTL(t.Context(), []string{"absent", key, key})
	if err != nil || many != nil || !ok || string(got) != value || string(values[1]) != value || string(values[2]) != value || values[0] != nil {
		t.Fatalf("GetWithTTL = %.20q, %v, %v, GetManyWithTTL = %.20q, %v; want %.20q", got, ok, err, values, many, value)
	}
	for _, left := range []time.Duration{left, lefts[1], lefts[2]} {
		if left > ttl || left < ttl-time.Hour || (left == 0) != (ttl == 0) {
			t.Errorf("remaining TTL %v; want %v or little less", left, ttl)
		}
	}
}

func TestGetWithTTL(t *testing.T) {
	for name, o := range map[string]Options{"one item": {}, "spread": {Spread: true, ChunkSize: 100, MaxChunks: 10}} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, nil)
			o.Servers = []string{f.addr}
			b := start(t, o)
			values := []string{"v", "", "7   ", "END\r\nVALUE"}
			if o.Spread {
				values = append(values, string(largeValue(950)))
			}
			for _, value := range values {
				for _, ttl := range []time.Duration{0, 20 * time.Hour, 10 * 24 * time.Hour} {
					must(t, b.Set(t.Context(), "k", []byte(value), ttl))
					b.wantTTL(t, "k", value, ttl)
				}
			}
			must(t, b.Set(t.Context(), "n", []byte("1"), 2*time.Hour))
			if _, err := b.Inc(t.Context(), "n", 9, 0); err != nil {
				t.Error(err)
			}
			b.wantTTL(t, "n", "10", 2*time.Hour)
			f.store("padded", entry{value: "7  ", expiry: 7202})
			b.wantTTL(t, "padded", "7", 2*time.Hour)
			f.store("leased", entry{value: "name", flags: wire.FlagLease, expiry: 10})
			for _, key := range []string{"absent", "leased"} {
				if value, _, ok, err := b.GetWithTTL(t.Context(), key); value != nil || ok || err != nil {
					t.Errorf("GetWithTTL(%s) = %q, %v, %v; want a miss", key, value, ok, err)
				}
				if values, _, err := b.GetManyWithTTL(t.Context(), []string{key}); values[0] != nil || err != nil {
					t.Errorf("GetManyWithTTL(%s) = %q, %v; want a miss", key, values, err)
				}
			}
		})
	}
}

// The server says up to two seconds more than what remains, and a reply takes time.
func TestRemainingTTLIsNotTooLong(t *testing.T) {
	f, b := startText(t, nil)
	for expiry, want := range map[int64]time.Duration{1: 1, 2: 1, 3: time.Second} {
		f.store("k", entry{value: "v", expiry: expiry})
		if _, left, ok, err := b.GetWithTTL(t.Context(), "k"); left <= 0 || left > want || !ok || err != nil {
			t.Errorf("%d s of the server: TTL %v, %v, %v; want at most %v", expiry, left, ok, err, want)
		}
	}
	const delay = 20 * time.Millisecond
	f.answers(func(int, string) string { time.Sleep(delay); return "" })
	f.store("k", entry{value: "v", expiry: 3602})
	_, left, _, err := b.GetWithTTL(t.Context(), "k")
	_, lefts, many := b.GetManyWithTTL(t.Context(), []string{"k"})
	if err != nil || many != nil || left > time.Hour-delay || lefts[0] > time.Hour-delay {
		t.Errorf("TTL %v, %v, of a batch %v, %v; want it without the time of the reply", left, err, lefts, many)
	}
}

// The value and its TTL are of one reply.
func TestGetWithTTLIsOneRoundTrip(t *testing.T) {
	f, b := startText(t, nil)
	items, keys := make([]driver.Item, 600), make([]string, 600) // more than a round trip takes
	for i := range items {
		keys[i] = fmt.Sprintf("k%d", i)
		items[i] = driver.Item{Key: keys[i], Value: bytes.Repeat([]byte("v"), i)}
	}
	must(t, b.SetMany(t.Context(), items, time.Hour))
	before := f.count("mg") + f.count("get") + f.count("gets")
	values, ttls, err := b.GetManyWithTTL(t.Context(), keys)
	for i := range keys {
		if err != nil || values[i] == nil || len(values[i]) != i || ttls[i] <= 0 || ttls[i] > time.Hour {
			t.Fatalf("%s: %d bytes, TTL %v, %v", keys[i], len(values[i]), ttls[i], err)
		}
	}
	if n := f.count("mg") + f.count("get") + f.count("gets") - before; n != len(keys) {
		t.Errorf("%d reads; want one for each of %d keys", n, len(keys))
	}
}

func TestGetManyWithTTLOfSeveralServers(t *testing.T) {
	up, down := startFake(t, nil), startFake(t, on(hangUp, "mg"))
	b := start(t, Options{Servers: []string{up.addr, down.addr}})
	keys := []string{"a", "b", "c", "d", "e", "f"}
	for _, key := range keys {
		up.store(key, entry{value: "v", expiry: 3602})
	}
	values, ttls, err := b.GetManyWithTTL(t.Context(), keys)
	var failed *driver.BatchError
	if !errors.As(err, &failed) {
		t.Fatalf("GetManyWithTTL with a server that fails: %v", err)
	}
	for i, key := range keys {
		hit := values[i] != nil && ttls[i] > 0
		if fails := slices.ContainsFunc(failed.Failed, func(e driver.KeyError) bool { return e.Key == key }); hit == fails {
			t.Errorf("%s: %q, TTL %v, failed: %v", key, values[i], ttls[i], fails)
		}
	}
}

// A large value that lost its chunks is a miss; one that was replaced meanwhile has the TTL
// of the new index.
func TestGetWithTTLOfReplacedChunks(t *testing.T) {
	f := startFake(t, nil)
	b := start(t, Options{Servers: []string{f.addr}, Spread: true, ChunkSize: 100, MaxChunks: 10})
	loseChunks := func() {
		for _, key := range f.keys() {
			if strings.Contains(key, "~") {
				f.remove(key)
			}
		}
	}
	must(t, b.Set(t.Context(), "k", largeValue(500), time.Hour))
	loseChunks()
	if _, _, ok, err := b.GetWithTTL(t.Context(), "k"); ok || err != nil {
		t.Errorf("GetWithTTL without chunks = %v, %v; want a miss", ok, err)
	}
	for _, size := range []int{10, 800} {
		must(t, b.Set(t.Context(), "k", largeValue(500), 9*time.Hour))
		other := start(t, Options{Servers: []string{f.addr}, Spread: true, ChunkSize: 100, MaxChunks: 10})
		once := sync.OnceFunc(func() {
			loseChunks()
			must(t, other.Set(t.Context(), "k", largeValue(size), 2*time.Hour))
		})
		f.answers(func(_ int, command string) string {
			if strings.HasPrefix(command, "get k~") {
				once()
			}
			return ""
		})
		value, left, ok, err := b.GetWithTTL(t.Context(), "k")
		if !bytes.Equal(value, largeValue(size)) || left > 2*time.Hour || left < time.Hour || !ok || err != nil {
			t.Errorf("%d bytes: GetWithTTL = %d bytes, %v, %v, %v", size, len(value), left, ok, err)
		}
		f.answers(nil)
	}
}

func TestGetWithTTLUnsupported(t *testing.T) {
	f := startFake(t, nil)
	for name, b := range map[string]*Backend{
		"binary": start(t, Options{Servers: []string{f.addr}, Protocol: Binary}), "borrowed": borrow(t, f, Options{}),
	} {
		if _, _, _, err := b.GetWithTTL(t.Context(), "k"); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: GetWithTTL: %v", name, err)
		}
		if _, _, err := b.GetManyWithTTL(t.Context(), []string{"k"}); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: GetManyWithTTL: %v", name, err)
		}
	}
}

func TestMalformedReplyToGetWithTTL(t *testing.T) {
	for _, reply := range []string{
		"HD f0 t-1 c1 kk\r\n", "VA 1 f0 t-1 c1\r\nv\r\n", "VA 1 f0 t-1 c1 kother\r\nv\r\n", "VA 1 f0 t-1 c1 kkk\r\nv\r\n", "VA 1 f0 t-1 c1 kk\r\nvv\r\n",
		"VA 1 fx t-1 c1 kk\r\nv\r\n", "VA 1 f0 t c1 kk\r\nv\r\n", "VA -1 f0 t-1 c1 kk\r\nv\r\n", "VA 99999999999 f0 t-1 c1 kk\r\nv\r\n",
		"VA 1073741824 f0 t-1 c1 kk\r\nv\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n", "VA\r\n", "VA 1 kk\nv\r\n",
	} {
		f, b := startText(t, on(partial+reply, "mg"))
		f.store("k", entry{value: "v"})
		if value, _, ok, err := b.GetWithTTL(t.Context(), "k"); ok || !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("GetWithTTL accepts %q: %q, %v, %v", reply, value, ok, err)
		}
		if values, _, err := b.GetManyWithTTL(t.Context(), []string{"k"}); values[0] != nil || !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("GetManyWithTTL accepts %q: %q, %v", reply, values, err)
		}
	}
}

func TestGetAppend(t *testing.T) {
	all := func(t *testing.T, f *fake, b *Backend) {
		for _, value := range []string{"v", "", "7  ", string(largeValue(950))} {
			must(t, b.Set(t.Context(), "k", []byte(value), 0))
			for _, dst := range [][]byte{nil, {}, []byte("dst"), make([]byte, 0, 16), make([]byte, 5, 2000), append(make([]byte, 0, 20<<10), "dst"...)} {
				before := string(dst)
				got, ok, err := b.GetAppend(t.Context(), "k", dst)
				if !ok || err != nil || string(got) != before+value {
					t.Errorf("GetAppend to %d of %d = %.20q, %v, %v; want %.20q", len(dst), cap(dst), got, ok, err, before+value)
				}
				if room := cap(dst) - len(dst); len(value) <= room && cap(got) != cap(dst) {
					t.Errorf("GetAppend to %d of %d returns other memory for %d bytes", len(dst), cap(dst), len(value))
				}
				got, ok, err = b.GetAppend(t.Context(), "absent", dst)
				if ok || err != nil || string(got) != before || cap(got) != cap(dst) {
					t.Errorf("GetAppend of an absent key = %q, %v, %v; want dst", got, ok, err)
				}
			}
		}
		if _, _, err := b.GetAppend(t.Context(), "", nil); !errors.Is(err, cache.ErrInvalidKey) {
			t.Errorf("GetAppend of an empty key: %v", err)
		}
	}
	t.Run("one item", func(t *testing.T) { each(t, all) })
	t.Run("spread", func(t *testing.T) { spreads(t, all) })
	t.Run("shared", func(t *testing.T) {
		bothProtocols(t, func(t *testing.T, o Options) {
			f, b := share(t, o, nil)
			all(t, f, b)
		})
	})
}

// A caller that has left gets its memory back: the shared round trip does not use it. The
// race detector reports if it does.
func TestGetAppendLeavesMemory(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		reached, release := make(chan struct{}), make(chan struct{})
		f, b := share(t, o, nil)
		must(t, b.Set(t.Context(), "k", []byte("value"), 0))
		f.answers(func(int, string) string {
			close(reached)
			<-release
			return ""
		})
		ctx, cancel := context.WithCancel(t.Context())
		var other sync.WaitGroup
		go func() {
			<-reached
			cancel()
		}()
		dst := make([]byte, 0, 100)
		if _, _, err := b.GetAppend(ctx, "k", dst); !errors.Is(err, context.Canceled) {
			t.Errorf("GetAppend that is cancelled: %v", err)
		}
		other.Go(func() { copy(dst[:100], bytes.Repeat([]byte("x"), 100)) })
		close(release)
		waitFor(t, "the batch to end", func() bool { _, n := load(b); return n == 0 })
		other.Wait()
		f.answers(nil)
		if string(dst[:5]) != "xxxxx" {
			t.Errorf("the memory of the caller has %q", dst[:5])
		}
	})
}

// A value in chunks is not a number that the server has padded.
func TestSpreadKeepsSpaces(t *testing.T) {
	spreads(t, func(t *testing.T, f *fake, b *Backend) {
		b.options.ChunkSize = 1
		must(t, b.Set(t.Context(), "k", []byte("7 "), 0))
		b.mustGet(t, "k", "7 ")
		if values, err := b.GetMany(t.Context(), []string{"k"}); err != nil || string(values[0]) != "7 " {
			t.Errorf("GetMany = %q, %v", values, err)
		}
		if got, _, err := b.GetAppend(t.Context(), "k", nil); err != nil || string(got) != "7 " {
			t.Errorf("GetAppend = %q, %v", got, err)
		}
		if b.meta != nil {
			b.wantTTL(t, "k", "7 ", 0)
		}
	})
}

// The chunks that are present are read over the index, which is then compared.
func TestGetAppendWithoutChunks(t *testing.T) {
	spreads(t, func(t *testing.T, f *fake, b *Backend) {
		must(t, b.Set(t.Context(), "k", largeValue(500), 0))
		chunk := f.keys()[len(f.keys())-1]
		f.remove(chunk)
		dst := make([]byte, 3, 1000)
		if got, ok, err := b.GetAppend(t.Context(), "k", dst); len(got) != 3 || ok || err != nil {
			t.Errorf("GetAppend = %d bytes, %v, %v; want a miss", len(got), ok, err)
		}
		if n := f.count("get"); b.meta != nil && n != 2 {
			t.Errorf("%d reads; want the index and the chunks once", n)
		}
	})
}
