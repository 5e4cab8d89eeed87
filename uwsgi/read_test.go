package uwsgi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

func TestGetWithTTL(t *testing.T) {
	f := startFake(t)
	b, ctx := f.backend(t, Options{}), t.Context()
	for ttl, longest := range map[time.Duration]time.Duration{0: 0, time.Hour: time.Hour + 2*time.Second, 1500 * time.Millisecond: 4 * time.Second} {
		for _, value := range []string{"value", "", "\x00"} {
			if err := b.Set(ctx, "k", []byte(value), ttl); err != nil {
				t.Fatal(err)
			}
			got, left, ok, err := b.GetWithTTL(ctx, "k")
			if string(got) != value || left < ttl-time.Minute || left > longest || (left == 0) != (ttl == 0) || !ok || err != nil {
				t.Errorf("GetWithTTL = %q, %v, %v, %v; want %q, %v", got, left, ok, err, value, ttl)
			}
		}
	}
	f.expired("old")
	for _, key := range []string{"old", "absent"} {
		if value, _, ok, err := b.GetWithTTL(ctx, key); value != nil || ok || err != nil {
			t.Errorf("GetWithTTL(%s) = %q, %v, %v; want a miss", key, value, ok, err)
		}
	}
	f.commands()
	if _, _, _, err := b.GetWithTTL(ctx, "k"); err != nil {
		t.Error(err)
	}
	if log := f.commands(); !slices.Equal(log, []string{"get k"}) {
		t.Errorf("%q; want one request", log)
	}
	if _, _, _, err := b.GetWithTTL(ctx, ""); !errors.Is(err, driver.ErrInvalidKey) {
		t.Errorf("an empty key: %v", err)
	}
}

// The TTL ends with the second at which the server may remove the entry, although the entry
// is readable for a moment longer.
func TestRemainingTTLIsNotTooLong(t *testing.T) {
	f := startFake(t)
	b := f.backend(t, Options{})
	for range 100 {
		end := time.Now().Unix() + 1
		f.set(func(f *fake) { f.items["k"] = entry{true, []byte("v"), end} })
		limit := time.Until(time.Unix(end, 0))
		_, left, ok, err := b.GetWithTTL(t.Context(), "k")
		if err != nil || ok && (left <= 0 || left > max(limit, 1)) {
			t.Fatalf("TTL %v, %v, %v; want at most %v", left, ok, err, limit)
		}
	}
}

func TestGetManyWithTTL(t *testing.T) {
	f := startFake(t)
	b, ctx := f.backend(t, Options{PoolSize: 2}), t.Context()
	var keys []string
	for i := range 20 {
		keys = append(keys, fmt.Sprint("k", i))
		if err := b.Set(ctx, keys[i], []byte(keys[i]), time.Duration(i)*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	f.expired("old")
	values, ttls, err := b.GetManyWithTTL(ctx, append(keys, "old", "absent", "k1"))
	if err != nil || values[20] != nil || values[21] != nil || string(values[22]) != "k1" {
		t.Fatalf("GetManyWithTTL = %q, %v", values, err)
	}
	for i, key := range keys {
		ttl := time.Duration(i) * time.Hour
		if string(values[i]) != key || ttls[i] > ttl+2*time.Second || ttls[i] < ttl-time.Minute || (ttls[i] == 0) != (i == 0) {
			t.Errorf("%s: %q, TTL %v; want %v", key, values[i], ttls[i], ttl)
		}
	}
}

func TestGetAppend(t *testing.T) {
	f := startFake(t)
	b, ctx := f.backend(t, Options{}), t.Context()
	f.expired("old")
	for _, value := range []string{"v", "", "\x00\x00", strings.Repeat("v", 1<<16)} {
		if err := b.Set(ctx, "k", []byte(value), 0); err != nil {
			t.Fatal(err)
		}
		for _, dst := range [][]byte{nil, {}, []byte("dst"), make([]byte, 3, 10), make([]byte, 5, 100<<10)} {
			before := string(dst)
			got, ok, err := b.GetAppend(ctx, "k", dst)
			if string(got) != before+value || !ok || err != nil {
				t.Errorf("GetAppend to %d of %d = %.20q, %v, %v; want %.20q", len(dst), cap(dst), got, ok, err, before+value)
			}
			if len(value) <= cap(dst)-len(dst) && cap(got) != cap(dst) {
				t.Errorf("GetAppend to %d of %d returns other memory for %d bytes", len(dst), cap(dst), len(value))
			}
			for _, key := range []string{"old", "absent"} {
				if got, ok, err := b.GetAppend(ctx, key, dst); string(got) != before || cap(got) != cap(dst) || ok || err != nil {
					t.Errorf("GetAppend(%s) = %q, %v, %v; want dst", key, got, ok, err)
				}
			}
		}
	}
}

// A large value is written from the memory of the caller and read into it, without a copy.
func TestLargeValuesAreNotCopied(t *testing.T) {
	const size = 512 << 10
	value := bytes.Repeat([]byte("v"), size)
	reply := replyBytes(entry{true, value, 0})
	accepted, written := []byte("o\x0c\x00\x11\x06\x00status\x02\x00ok"), make([]byte, size)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() { // a server that allocates little
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c, ok := readCall(conn)
			switch {
			case !ok:
			case c.command == "get":
				conn.Write(reply)
			default:
				if io.ReadFull(conn, written); bytes.Equal(written, value) {
					conn.Write(accepted)
				}
				clear(written)
			}
			conn.Close()
		}
	}()
	o := Options{Addr: listener.Addr().String(), MaxValue: size}
	if err := driver.Complete(&o); err != nil {
		t.Fatal(err)
	}
	b := &Backend{options: o, dialer: newDialer(o), maxKey: o.maxKey(), slots: make(chan struct{}, o.PoolSize)}
	buffer := append(make([]byte, 0, size+3), "dst"...)
	if n := allocated(func() {
		if err := b.Set(t.Context(), "k", value, 0); err != nil {
			t.Errorf("Set: %v", err)
		}
	}); n > size/16 {
		t.Errorf("Set of %d bytes allocates %d", size, n)
	}
	if n := allocated(func() {
		got, ok, err := b.GetAppend(t.Context(), "k", buffer)
		if !ok || err != nil || !bytes.Equal(got[3:], value) || &got[0] != &buffer[0] {
			t.Errorf("GetAppend = %d bytes, %v, %v", len(got), ok, err)
		}
	}); n > size/16 {
		t.Errorf("GetAppend of %d bytes allocates %d", size, n)
	}
}

// allocated returns the fewest bytes that do allocates in several runs: the runtime and other
// goroutines allocate as well.
func allocated(do func()) uint64 {
	least := uint64(math.MaxUint64)
	var before, after runtime.MemStats
	for range 20 {
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}
