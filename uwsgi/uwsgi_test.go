package uwsgi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

func TestRoundTrip(t *testing.T) {
	for name, f := range map[string]*fake{"tcp": startFake(t), "unix": startFakeUnix(t)} {
		t.Run(name, func(t *testing.T) {
			b, ctx := f.backend(t, Options{}), t.Context()
			for _, value := range []string{"value", "", "\x00", "\x00x", strings.Repeat("v", 1<<16)} {
				if err := b.Set(ctx, "k", []byte(value), time.Hour); err != nil {
					t.Fatal(err)
				}
				if got, ok, err := b.Get(ctx, "k"); err != nil || !ok || string(got) != value {
					t.Errorf("Get = %.20q, %v, %v; want %.20q", got, ok, err, value)
				}
			}
			if left, ok, err := b.TTL(ctx, "k"); err != nil || !ok || left < time.Hour || left > time.Hour+2100*time.Millisecond {
				t.Errorf("TTL = %v, %v, %v", left, ok, err)
			}
			if added, err := b.Add(ctx, "k", nil, 0); added || err != nil {
				t.Errorf("Add of a present key = %v, %v", added, err)
			}
			if deleted, err := b.Delete(ctx, "k"); !deleted || err != nil {
				t.Errorf("Delete = %v, %v", deleted, err)
			}
			if deleted, err := b.Delete(ctx, "k"); deleted || err != nil {
				t.Errorf("Delete again = %v, %v", deleted, err)
			}
			if added, err := b.Add(ctx, "k", nil, 0); !added || err != nil {
				t.Errorf("Add = %v, %v", added, err)
			}
			if left, ok, err := b.TTL(ctx, "k"); err != nil || !ok || left != 0 {
				t.Errorf("TTL of an entry that never expires = %v, %v, %v", left, ok, err)
			}
		})
	}
}

// expired puts an entry that expired a second ago into the fake.
func (f *fake) expired(key string) {
	f.set(func(f *fake) { f.items[key] = entry{true, []byte("old"), time.Now().Unix() - 1} })
}

// An expired entry is absent. Delete does not remove it, because another caller may
// have replaced it since.
func TestExpiredIsAbsent(t *testing.T) {
	f := startFake(t)
	b, ctx := f.backend(t, Options{}), t.Context()
	f.expired("k")
	if value, ok, err := b.Get(ctx, "k"); ok || err != nil || value != nil {
		t.Errorf("Get = %q, %v, %v", value, ok, err)
	}
	if _, ok, err := b.TTL(ctx, "k"); ok || err != nil {
		t.Errorf("TTL = %v, %v", ok, err)
	}
	if deleted, err := b.Delete(ctx, "k"); deleted || err != nil {
		t.Errorf("Delete = %v, %v", deleted, err)
	}
	if log := f.commands(); slices.Contains(log, "del k") {
		t.Errorf("%q: an expired entry was deleted", log)
	}
}

func TestFull(t *testing.T) {
	f := startFake(t)
	b, ctx := f.backend(t, Options{}), t.Context()
	if err := b.Set(ctx, "old", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	f.set(func(f *fake) { f.full = true })
	if err := b.Set(ctx, "new", []byte("v"), 0); !errors.Is(err, driver.ErrFull) {
		t.Errorf("Set = %v, want %v", err, driver.ErrFull)
	}
	if added, err := b.Add(ctx, "new", []byte("v"), 0); added || !errors.Is(err, driver.ErrFull) {
		t.Errorf("Add = %v, %v, want %v", added, err, driver.ErrFull)
	}
	if err := b.Set(ctx, "old", []byte("2"), 0); err != nil {
		t.Errorf("Set of a present key: %v", err)
	}
	if added, err := b.Add(ctx, "old", []byte("v"), 0); added || err != nil {
		t.Errorf("Add of a present key = %v, %v", added, err)
	}
	err := b.SetMany(ctx, []driver.Item{{Key: "old", Value: []byte("3")}, {Key: "x"}, {Key: "y"}}, 0)
	var batch *driver.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 2 || batch.Failed[0].Key != "x" || batch.Failed[1].Key != "y" || !errors.Is(err, driver.ErrFull) {
		t.Errorf("SetMany = %v, want x and y: %v", err, driver.ErrFull)
	}
	if err := b.Ping(ctx); err != nil {
		t.Errorf("Ping = %v", err)
	}
}

func TestChecksBeforeSending(t *testing.T) {
	f := startFake(t)
	b, ctx := f.backend(t, Options{MaxKey: 100, MaxValue: 1000}), t.Context()
	long, large := strings.Repeat("k", 101), make([]byte, 1001)
	_, _, err := b.Get(ctx, long)
	_, errDelete := b.Delete(ctx, long)
	for what, got := range map[string]error{"Get": err, "Delete": errDelete, "Set": b.Set(ctx, long, nil, 0)} {
		if !errors.Is(got, driver.ErrInvalidKey) || !strings.Contains(got.Error(), "100") {
			t.Errorf("%s of a long key: %v", what, got)
		}
	}
	_, errAdd := b.Add(ctx, "k", large, 0)
	nul := make([]byte, 1000) // sent with one byte more
	for what, got := range map[string]error{"Set": b.Set(ctx, "k", large, 0), "Add": errAdd, "Set of NULs": b.Set(ctx, "k", nul, 0)} {
		if !errors.Is(got, driver.ErrTooLarge) {
			t.Errorf("%s of a large value: %v", what, got)
		}
	}
	if log := f.commands(); len(log) > 0 {
		t.Errorf("sent: %q", log)
	}
}

// times returns a fault that strikes the first n requests with command.
func times(n int, command string, strike func(*call)) func(*call) bool {
	var mu sync.Mutex
	return func(c *call) bool {
		mu.Lock()
		defer mu.Unlock()
		if n == 0 || c.command != command {
			return false
		}
		n--
		strike(c)
		return true
	}
}

func reset(c *call) { c.reset() }

func cut(c *call) { c.conn.Write([]byte("o\x0c\x00\x11\x06\x00sta")) }

func garbage(c *call) { c.conn.Write(bytes.Repeat([]byte("\xff\x00!garbage 4294967295\r\n"), 4)) }

// refuse closes the connection without a reply.
func refuse(*call) {}

func TestFaults(t *testing.T) {
	get := func(b *Backend, ctx context.Context) error {
		value, ok, err := b.Get(ctx, "k")
		if err == nil && (!ok || string(value) != "old") {
			err = fmt.Errorf("%q, %v", value, ok)
		}
		return err
	}
	set := func(b *Backend, ctx context.Context) error { return b.Set(ctx, "k", []byte("new"), time.Hour) }
	add := func(b *Backend, ctx context.Context) error {
		_, err := b.Add(ctx, "other", []byte("new"), time.Hour)
		return err
	}
	del := func(b *Backend, ctx context.Context) error {
		_, err := b.Delete(ctx, "k")
		return err
	}
	clearAll := func(b *Backend, ctx context.Context) error { return b.Clear(ctx) }
	for _, c := range []struct {
		name  string
		call  func(*Backend, context.Context) error
		fault func(*call) bool
		want  error
		sends int
	}{
		{"get, reset once", get, times(1, "get", reset), nil, 2},
		{"get, cut once", get, times(1, "get", cut), nil, 2},
		{"get, reset twice", get, times(2, "get", reset), driver.ErrUnavailable, 2},
		{"get, garbage", get, times(1, "get", garbage), driver.ErrUnavailable, 1},
		{"set, reset", set, times(1, "update", reset), driver.ErrUnknownOutcome, 1},
		{"set, cut", set, times(1, "update", cut), driver.ErrUnknownOutcome, 1},
		{"set, garbage", set, times(1, "update", garbage), driver.ErrUnknownOutcome, 1},
		{"set, refused", set, times(1, "update", refuse), driver.ErrTooLarge, 2},
		{"set, refused, then reset", set, both(times(1, "update", refuse), times(2, "get", reset)), driver.ErrUnknownOutcome, 3},
		{"add, reset", add, times(1, "set", reset), driver.ErrUnknownOutcome, 1},
		{"add, cut", add, times(1, "set", cut), driver.ErrUnknownOutcome, 1},
		{"add, garbage", add, times(1, "set", garbage), driver.ErrUnknownOutcome, 1},
		{"add, refused, then reset", add, both(times(1, "set", refuse), times(2, "get", reset)), driver.ErrUnknownOutcome, 3},
		{"delete, reset", del, times(1, "del", reset), driver.ErrUnknownOutcome, 2},
		{"clear, reset once", clearAll, times(1, "clear", reset), nil, 2},
		{"clear, refused", clearAll, times(1, "clear", refuse), driver.ErrUnknownOutcome, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := startFake(t)
			b := f.backend(t, Options{FirstCache: true, AllowFlush: true})
			if err := b.Set(t.Context(), "k", []byte("old"), 0); err != nil {
				t.Fatal(err)
			}
			f.commands()
			f.set(func(f *fake) { f.fault = c.fault })
			err := c.call(b, t.Context())
			if c.want == nil && err != nil || !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if c.want == driver.ErrUnknownOutcome && errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("%v says both that the write may have been executed and that it was not", err)
			}
			if log := f.commands(); len(log) != c.sends {
				t.Errorf("%d requests, want %d: %q", len(log), c.sends, log)
			}
		})
	}
}

func both(a, b func(*call) bool) func(*call) bool {
	return func(c *call) bool { return a(c) || b(c) }
}

// A Set that was executed, but whose reply was lost.
func TestSetLostReply(t *testing.T) {
	f := startFake(t)
	b := f.backend(t, Options{})
	store := func(seconds int64) func(*call) {
		return func(*call) {
			f.set(func(f *fake) { f.items["k"] = entry{true, []byte("v"), time.Now().Unix() + seconds} })
		}
	}
	f.set(func(f *fake) { f.fault = times(1, "update", store(61)) })
	if err := b.Set(t.Context(), "k", []byte("v"), time.Minute); err != nil {
		t.Errorf("Set = %v, want nil: it was executed", err)
	}
	f.set(func(f *fake) { f.fault = times(1, "update", store(50)) })
	if err := b.Set(t.Context(), "k", []byte("v"), time.Minute); err == nil {
		t.Error("an older entry with the same value counts as the new one")
	}
}

func TestDeadlineAndCancel(t *testing.T) {
	f := startFake(t)
	b := f.backend(t, Options{})
	over := make(chan struct{})
	defer close(over)
	f.set(func(f *fake) { f.fault = func(*call) bool { <-over; return true } })
	for _, c := range []struct {
		name string
		end  func() (context.Context, context.CancelFunc)
		want error
	}{
		{"deadline", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 50*time.Millisecond)
		}, context.DeadlineExceeded},
		{"cancel", func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			return ctx, cancel
		}, context.Canceled},
	} {
		begin := time.Now()
		ctx, cancel := c.end()
		if _, _, err := b.Get(ctx, "k"); !errors.Is(err, c.want) {
			t.Errorf("%s: Get = %v", c.name, err)
		}
		cancel()
		ctx, cancel = c.end()
		if err := b.Set(ctx, "k", nil, 0); !errors.Is(err, c.want) || !errors.Is(err, driver.ErrUnknownOutcome) {
			t.Errorf("%s: Set = %v", c.name, err)
		}
		cancel()
		if took := time.Since(begin); took > b.options.ReadTimeout {
			t.Errorf("%s: two calls took %v", c.name, took)
		}
	}
}

func TestReadTimeout(t *testing.T) {
	f := startFake(t)
	b := f.backend(t, Options{ReadTimeout: 50 * time.Millisecond})
	over := make(chan struct{})
	defer close(over)
	f.set(func(f *fake) { f.fault = func(*call) bool { <-over; return true } })
	_, _, err := b.Get(t.Context(), "k")
	if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get = %v", err)
	}
	f.commands()
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprint("k", i)
	}
	_, err = b.GetMany(t.Context(), keys)
	var batch *driver.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != len(keys) {
		t.Fatalf("GetMany = %v", err)
	}
	for _, failed := range batch.Failed {
		if !errors.Is(failed.Err, driver.ErrUnavailable) {
			t.Errorf("%s: %v", failed.Key, failed.Err)
		}
	}
	if last := batch.Failed[len(keys)-1].Err; !strings.Contains(last.Error(), "skipped after another key failed") {
		t.Errorf("the last key: %v", last)
	}
	if sent := len(f.commands()); sent > b.options.PoolSize {
		t.Errorf("%d requests to a silent server, want at most %d", sent, b.options.PoolSize)
	}
}

func TestPoolSize(t *testing.T) {
	f := startFake(t)
	b := f.backend(t, Options{PoolSize: 3, DialTimeout: time.Second})
	over := make(chan struct{})
	end := sync.OnceFunc(func() { close(over) })
	defer end()
	f.set(func(f *fake) { f.fault = func(*call) bool { <-over; return true } })
	var calls sync.WaitGroup
	var mu sync.Mutex
	busy := 0
	for range 5 {
		calls.Go(func() {
			if _, _, err := b.Get(t.Context(), "k"); errors.Is(err, errPoolExhausted) && errors.Is(err, driver.ErrUnavailable) {
				mu.Lock()
				defer mu.Unlock()
				if busy++; busy == 2 {
					end()
				}
			}
		})
	}
	calls.Wait()
	if busy != 2 {
		t.Errorf("%d of 5 calls timed out waiting for one of 3 connections, want 2", busy)
	}
}

func TestClearNeedsPermission(t *testing.T) {
	f := startFake(t)
	f.set(func(f *fake) { f.nameless = true })
	for name, c := range map[string]struct {
		cache, want string
		o           Options
	}{
		"no permission":                 {"c", "first_cache", Options{}},
		"permission, not the first":     {"c", "first_cache", Options{AllowFlush: true}},
		"the first, no permission":      {"c", "CACHE_ALLOW_FLUSH", Options{FirstCache: true}},
		"without a name, no permission": {"", "CACHE_ALLOW_FLUSH", Options{}},
		"the first, permission":         {"c", "", Options{FirstCache: true, AllowFlush: true}},
		"without a name, permission":    {"", "", Options{AllowFlush: true}},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Addr, c.o.Cache = f.addr, c.cache
			b, err := New(t.Context(), c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			f.commands()
			err = b.Clear(t.Context())
			sent := f.commands()
			if c.want == "" {
				if err != nil || len(sent) != 1 {
					t.Errorf("Clear = %v, sent %q", err, sent)
				}
				return
			}
			if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), c.want) || len(sent) > 0 {
				t.Errorf("Clear = %v, want %s; sent %q", err, c.want, sent)
			}
		})
	}
}

// Rule BAT-15 of the contract: an invalid key fails a batch before anything is sent.
func TestInvalidKeysInBatch(t *testing.T) {
	f := startFake(t)
	b, ctx := f.backend(t, Options{MaxKey: 100}), t.Context()
	long := strings.Repeat("k", 101)
	keys := []string{"a", long, "b", ""}
	values, errGet := b.GetMany(ctx, keys)
	deleted, errDelete := b.DeleteMany(ctx, keys)
	errSet := b.SetMany(ctx, []driver.Item{{Key: "a"}, {Key: long}, {Key: "b"}, {Key: ""}}, 0)
	for what, err := range map[string]error{"GetMany": errGet, "DeleteMany": errDelete, "SetMany": errSet} {
		var batch *driver.BatchError
		if !errors.As(err, &batch) || len(batch.Failed) != 2 || batch.Failed[0].Key != long || batch.Failed[1].Key != "" || !errors.Is(err, driver.ErrInvalidKey) {
			t.Errorf("%s = %v", what, err)
		}
	}
	if len(values) != len(keys) || len(deleted) != len(keys) {
		t.Errorf("%d values and %d results for %d keys", len(values), len(deleted), len(keys))
	}
	if log := f.commands(); len(log) > 0 {
		t.Errorf("sent: %q", log)
	}
}

// A server that does not read a large request ends the call at WriteTimeout.
func TestWriteTimeout(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // the kernel accepts connections that no server answers
	o := Options{Addr: listener.Addr().String(), MaxValue: 64 << 20, ReadTimeout: time.Hour, WriteTimeout: 50 * time.Millisecond}
	if err := driver.Complete(&o); err != nil {
		t.Fatal(err)
	}
	b := &Backend{options: o, dialer: newDialer(o), maxKey: o.maxKey(), slots: make(chan struct{}, o.PoolSize)}
	err = b.Set(t.Context(), "k", make([]byte, 63<<20), 0)
	if !errors.Is(err, driver.ErrUnavailable) || !remote.IsTimeout(err) {
		t.Errorf("Set = %v, want a timeout before the request was sent", err)
	}
}

func TestClose(t *testing.T) {
	f := startFake(t)
	b := f.backend(t, Options{FirstCache: true, AllowFlush: true, MaxValue: 10})
	for range 2 {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	ctx := t.Context()
	_, _, errGet := b.Get(ctx, "k")
	_, errAdd := b.Add(ctx, "k", nil, 0)
	_, errDelete := b.Delete(ctx, "k")
	_, errMany := b.GetMany(ctx, []string{"k"})
	_, _, errTTL := b.TTL(ctx, "k")
	for what, err := range map[string]error{"Get": errGet, "Set": b.Set(ctx, "k", nil, 0), "Set of a large value": b.Set(ctx, "k", make([]byte, 11), 0),
		"Set of an invalid key": b.Set(ctx, "", nil, 0), "Add": errAdd, "Delete": errDelete,
		"GetMany": errMany, "TTL": errTTL, "Clear": b.Clear(ctx), "Ping": b.Ping(ctx)} {
		if !errors.Is(err, driver.ErrClosed) || errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrUnknownOutcome) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	if log := f.commands(); len(log) > 0 {
		t.Errorf("sent: %q", log)
	}
}
