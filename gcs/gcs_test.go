package gcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/core/driver"
	"google.golang.org/api/option"
)

func TestRoundTrip(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{Prefix: "p/"})
	ctx := t.Context()
	for _, value := range [][]byte{[]byte("v"), {}, nil, bytes.Repeat([]byte{0, 255}, 3<<20)} {
		f.log()
		if err := b.Set(ctx, "a/b", value, time.Minute); err != nil {
			t.Fatal(err)
		}
		got, ok, err := b.Get(ctx, "a/b")
		if !bytes.Equal(got, value) || got == nil || !ok || err != nil {
			t.Errorf("Get = %d bytes, nil %v, %v, %v; want %d bytes", len(got), got == nil, ok, err, len(value))
		}
		if requests := f.log(); len(requests) != 2 || requests[1] != "GET /b/p%2Fa%2Fb" {
			t.Errorf("requests: %q; want one for Set and one for Get", requests)
		}
	}
}

func TestObject(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	before := time.Now()
	b.Set(t.Context(), "k", []byte("<html>"), 1500*time.Microsecond)
	b.Set(t.Context(), "forever", nil, 0)
	after := time.Now()
	o := f.get("k")
	if o.ContentType != "application/octet-stream" {
		t.Errorf("content type %s", o.ContentType)
	}
	ms, _ := strconv.ParseInt(o.Metadata[metaExpires], 10, 64)
	end := time.UnixMilli(ms)
	if end.Before(before.Add(1500*time.Microsecond)) || end.After(after.Add(2500*time.Microsecond)) {
		t.Errorf("expires %v after Set, rounded up; want 1.5 ms", end.Sub(before))
	}
	if custom, err := time.Parse(time.RFC3339, o.CustomTime); err != nil || end.Sub(custom).Abs() > time.Second {
		t.Errorf("customTime %s, %v; want %v", o.CustomTime, err, end)
	}
	if o := f.get("forever"); o.CustomTime != "" || o.Metadata[metaExpires] != "0" {
		t.Errorf("an object that never expires has customTime %q and %v", o.CustomTime, o.Metadata)
	}
}

// Reads return the names of metadata in the form of headers. Metadata may be missing.
func TestEntryOf(t *testing.T) {
	for name, tt := range map[string]struct {
		metadata map[string]string
		want     entry
	}{
		"headers":   {map[string]string{"Cache-Expires": "12", "Cache-Token": "t"}, entry{generation: 7, expires: 12, token: "t", ours: true}},
		"lease":     {map[string]string{"Cache-Expires": "1", "Cache-Lease": "99"}, entry{generation: 7, expires: 1, lease: 99, ours: true}},
		"as stored": {map[string]string{metaExpires: "0"}, entry{generation: 7, ours: true}},
		"foreign":   {map[string]string{"color": "red"}, entry{generation: 7}},
		"damaged":   {map[string]string{metaExpires: "soon"}, entry{generation: 7, expires: longPast, ours: true}},
	} {
		if got := entryOf(7, tt.metadata); got != tt.want {
			t.Errorf("%s: %+v; want %+v", name, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	long := strings.Repeat("x", maxName)
	for _, key := range []string{".", "..", ".well-known/acme-challenge/x", "a\rb", "a\n", "\xff", long + "x"} {
		for _, v := range verbs {
			if v.key == "" {
				continue
			}
			if err := v.call(t.Context(), b, key); !errors.Is(err, driver.ErrInvalidKey) {
				t.Errorf("%s(%.40q): %v; want ErrInvalidKey", v.name, key, err)
			}
		}
	}
	if requests := f.log(); len(requests) > 0 {
		t.Errorf("requests were made: %q", requests)
	}
	for _, key := range []string{"...", "./x", "../../x", "a//b", "/a", "a/", " ", "é", "\x00", ".well-known/x", "%2e", "a?b#c", long} {
		if err := b.Set(t.Context(), key, []byte(key), 0); err != nil {
			t.Errorf("Set(%.40q): %v", key, err)
		}
		if v, ok, err := b.Get(t.Context(), key); string(v) != key || !ok || err != nil {
			t.Errorf("Get(%.40q) = %.40q, %v, %v", key, v, ok, err)
		}
		if f.get(key) == nil {
			t.Errorf("%.40q is not the name of the object", key)
		}
	}
}

// Rule BAT-15 of the contract: an invalid key fails a batch before anything is sent.
func TestInvalidBatch(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	b.Set(t.Context(), "good", nil, 0)
	f.log()
	errSet := b.SetMany(t.Context(), []driver.Item{{Key: "good"}, {Key: ".."}}, 0)
	_, errDelete := b.DeleteMany(t.Context(), []string{"good", ".."})
	values, errGet := b.GetMany(t.Context(), []string{"good", ".."})
	if len(values) != 2 {
		t.Errorf("GetMany returns %d values; want one for each key", len(values))
	}
	for _, err := range []error{errSet, errDelete, errGet} {
		var batch *driver.BatchError
		if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != ".." || !errors.Is(err, driver.ErrInvalidKey) {
			t.Errorf("%v; want the bad key only", err)
		}
	}
	if requests := f.log(); len(requests) > 0 {
		t.Errorf("requests were made: %q", requests)
	}
}

func TestExpired(t *testing.T) {
	for name, purges := range map[string]bool{"stays": false, "is removed on read": true} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			b := start(t, f, Options{DeleteExpiredOnRead: purges})
			ctx := t.Context()
			renew := func() {
				b.Set(ctx, "k", []byte("1"), time.Minute)
				f.expire("k")
				f.log()
			}
			for what, call := range map[string]func() (bool, error){
				"Get":        func() (bool, error) { _, ok, err := b.Get(ctx, "k"); return ok, err },
				"Has":        func() (bool, error) { return b.Has(ctx, "k") },
				"TTL":        func() (bool, error) { _, ok, err := b.TTL(ctx, "k"); return ok, err },
				"GetAppend":  func() (bool, error) { _, ok, err := b.GetAppend(ctx, "k", make([]byte, 1, 10)); return ok, err },
				"GetWithTTL": func() (bool, error) { _, _, ok, err := b.GetWithTTL(ctx, "k"); return ok, err },
				"GetManyWithTTL": func() (bool, error) {
					values, _, err := b.GetManyWithTTL(ctx, []string{"k"})
					return values[0] != nil, err
				},
				"GetMany": func() (bool, error) { values, err := b.GetMany(ctx, []string{"k"}); return values[0] != nil, err },
			} {
				renew()
				generation := f.get("k").Generation
				if ok, err := call(); ok || err != nil {
					t.Errorf("%s = %v, %v", what, ok, err)
				}
				if gone := f.get("k") == nil; gone != purges {
					t.Errorf("%s: removed %v; want %v", what, gone, purges)
				}
				if purges && !strings.Contains(strings.Join(f.log(), "\n"), fmt.Sprintf("ifGenerationMatch=%d", generation)) {
					t.Errorf("%s removes the object without a condition", what)
				}
			}
			renew()
			if ok, err := b.Delete(ctx, "k"); ok || err != nil || f.get("k") != nil {
				t.Errorf("Delete = %v, %v, left %v", ok, err, f.get("k"))
			}
			renew()
			if ok, err := b.DeleteMany(ctx, []string{"k"}); ok[0] || err != nil || f.get("k") != nil {
				t.Errorf("DeleteMany = %v, %v, left %v", ok, err, f.get("k"))
			}
			renew()
			if ok, err := b.Add(ctx, "k", []byte("2"), 0); !ok || err != nil {
				t.Errorf("Add = %v, %v", ok, err)
			}
			renew()
			if n, err := b.Inc(ctx, "k", 5, time.Hour); n != 5 || err != nil {
				t.Errorf("Inc = %v, %v", n, err)
			}
			if ttl, ok, _ := b.TTL(ctx, "k"); !ok || ttl < 59*time.Minute {
				t.Errorf("a counter that starts again has TTL %v", ttl)
			}
		})
	}
}

// A value that replaced the expired one is not removed.
func TestPurgeOfReplaced(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{DeleteExpiredOnRead: true})
	b.Set(t.Context(), "k", []byte("old"), time.Minute)
	f.expire("k")
	f.on("delete", func(int) string {
		f.last++
		f.objects["k"] = newObject(stored{Name: "k", Generation: f.last}, []byte("fresh"))
		return usual
	})
	if ok, err := b.Has(t.Context(), "k"); ok || err != nil {
		t.Errorf("Has = %v, %v", ok, err)
	}
	if f.get("k") == nil {
		t.Error("the fresh value was removed")
	}
}

func TestAdd(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	add := func(value string, want bool) {
		t.Helper()
		if added, err := b.Add(t.Context(), "k", []byte(value), time.Minute); added != want || err != nil {
			t.Errorf("Add(%s) = %v, %v", value, added, err)
		}
	}
	add("first", true)
	if requests := f.log(); len(requests) != 1 || !strings.Contains(requests[0], "ifGenerationMatch=0") {
		t.Errorf("Add makes %q; want one request on a condition", requests)
	}
	add("second", false)
	if got := string(f.get("k").content); got != "first" {
		t.Errorf("stored %q", got)
	}
	f.expire("k")
	old := f.get("k").Generation
	f.log()
	add("third", true)
	if !strings.Contains(strings.Join(f.log(), "\n"), fmt.Sprintf("ifGenerationMatch=%d", old)) {
		t.Error("Add replaces the object without a condition")
	}
}

func TestInc(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	ctx := t.Context()
	b.Set(ctx, "k", []byte("41"), time.Hour)
	expires := f.get("k").Metadata[metaExpires]
	if n, err := b.Inc(ctx, "k", 1, time.Second); n != 42 || err != nil {
		t.Errorf("Inc = %d, %v", n, err)
	}
	if got := f.get("k").Metadata[metaExpires]; got != expires {
		t.Errorf("the expiry was %s and is %s", expires, got)
	}
	// Another writer wins the first race.
	f.on("write", func(n int) string {
		if n == 1 {
			f.last++
			f.objects["k"] = newObject(stored{Name: "k", Generation: f.last}, []byte("100"))
		}
		return usual
	})
	if n, err := b.Inc(ctx, "k", 1, 0); n != 101 || err != nil {
		t.Errorf("Inc = %d, %v", n, err)
	}
	f.on("write", always(usual))
	f.put("text", "ten", nil)
	f.put("high", fmt.Sprint(int64(math.MaxInt64)), nil)
	for _, text := range []string{"+5", "007", "-0", "5 "} { // rule CNT-8 of the contract
		f.put(text, text, nil)
	}
	for _, key := range []string{"text", "high", "+5", "007", "-0", "5 "} {
		if _, err := b.Inc(ctx, key, 1, 0); !errors.Is(err, driver.ErrNotInteger) {
			t.Errorf("Inc(%s): %v", key, err)
		}
	}
}

// Callers of one process do not race, which would cost requests.
func TestIncInTurns(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	var callers sync.WaitGroup
	for range 10 {
		callers.Go(func() {
			for range 10 {
				if _, err := b.Inc(t.Context(), "k", 1, 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	if n, err := b.Inc(t.Context(), "k", 1, 0); n != 101 || err != nil {
		t.Errorf("Inc = %d, %v", n, err)
	}
	if requests := len(f.log()); requests > 2*101+1 { // the first also asks for the bucket
		t.Errorf("%d requests for 101 Inc", requests)
	}
	// A caller waits for its turn until its deadline.
	f.on("write", always(silence))
	ctx, cancel := context.WithCancel(t.Context())
	defer callers.Wait()
	defer cancel()
	callers.Go(func() { b.Inc(ctx, "k", 1, 0) })
	for f.count("write") == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := b.Inc(soon(t, 10*time.Millisecond), "k", 1, 0); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrUnknownOutcome) {
		t.Errorf("Inc behind one without a reply: %v", err)
	}
	f.on("write", always(usual))
	if n, err := b.Inc(soon(t, ample), "other", 1, 0); n != 1 || err != nil {
		t.Errorf("Inc of another key = %d, %v", n, err)
	}
}

// Bytes that do not match their checksum are an error.
func TestDamagedBytes(t *testing.T) {
	f := startFake(t)
	for name, b := range map[string]*Backend{"own client": start(t, f, Options{}), "borrowed client": borrow(t, f, Options{})} {
		f.put("k", "value", nil)
		f.get("k").content = []byte("Value")
		if v, ok, err := b.Get(soon(t, 20*time.Millisecond), "k"); ok || err == nil {
			t.Errorf("%s: Get of damaged bytes = %q, %v, %v", name, v, ok, err)
		}
		f.get("k").Crc32c = ""
		if v, ok, err := b.Get(t.Context(), "k"); string(v) != "Value" || !ok || err != nil {
			t.Errorf("%s: Get of bytes without a checksum = %q, %v, %v", name, v, ok, err)
		}
	}
}

func TestClear(t *testing.T) {
	for name, borrowed := range map[string]bool{"own client": false, "borrowed client": true} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			open := func(o Options) *Backend {
				if !borrowed {
					return start(t, f, o)
				}
				o.Bucket = "b"
				return borrow(t, f, o)
			}
			fill := func() {
				for i := range 1234 {
					f.put(fmt.Sprint("p/", i), "", nil)
				}
				f.put("other", "", nil)
			}
			fill()
			b := open(Options{})
			if err := b.Clear(t.Context()); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "CACHE_ALLOW_FLUSH") {
				t.Errorf("Clear: %v; want a refusal that names CACHE_ALLOW_FLUSH", err)
			}
			if err := b.ClearPrefix(t.Context(), "p/"); err != nil || len(f.objects) != 1 {
				t.Errorf("ClearPrefix: %v, left %d", err, len(f.objects))
			}
			fill()
			if err := open(Options{Prefix: "p/"}).Clear(t.Context()); err != nil || len(f.objects) != 1 {
				t.Errorf("Clear under a prefix: %v, left %d", err, len(f.objects))
			}
			fill()
			if err := open(Options{AllowFlush: true}).Clear(t.Context()); err != nil || len(f.objects) != 0 {
				t.Errorf("Clear: %v, left %d", err, len(f.objects))
			}
		})
	}
}

// borrow returns a backend over a client of the application.
func borrow(t *testing.T, f *fake, o Options) *Backend {
	t.Helper()
	client, err := storage.NewClient(context.Background(), option.WithEndpoint(f.url+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	o.Bucket = "b"
	b, err := NewFromClient(client, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestClose(t *testing.T) {
	f := startFake(t)
	borrowed := borrow(t, f, Options{})
	for _, b := range []*Backend{borrowed, start(t, f, Options{AllowFlush: true})} {
		for range 2 {
			if err := b.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		for _, v := range verbs {
			if err := v.call(t.Context(), b, "k"); !errors.Is(err, driver.ErrClosed) {
				t.Errorf("%s after Close: %v", v.name, err)
			}
		}
	}
	if _, err := borrowed.bucket.Attrs(t.Context()); errors.Is(err, driver.ErrClosed) {
		t.Error("the borrowed client is closed")
	}
}

// Rule CLO-4 of the contract.
func TestNewFromClient(t *testing.T) {
	f := startFake(t)
	client := new(storage.Client)
	for _, o := range []Options{{}, {Bucket: "b", Anonymous: true}, {Bucket: "b", Endpoint: "http://h"}, {Bucket: "b", Concurrency: -1}} {
		if _, err := NewFromClient(client, o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	if _, err := NewFromClient(nil, Options{Bucket: "b"}); err == nil {
		t.Error("nil is accepted")
	}
	b := borrow(t, f, Options{})
	b.SetMany(t.Context(), []driver.Item{{Key: "a"}, {Key: "c"}}, 0)
	if deleted, err := b.DeleteMany(t.Context(), []string{"a", "b", "c"}); !slices.Equal(deleted, []bool{true, false, true}) || err != nil {
		t.Errorf("DeleteMany = %v, %v", deleted, err)
	}
}

// A client that reads by JSON does not receive the expiry with the bytes.
func TestReadsWithoutMetadata(t *testing.T) {
	f := startFake(t)
	f.noMeta = true
	b := borrow(t, f, Options{})
	b.Set(t.Context(), "k", []byte("v"), time.Minute)
	if v, ok, err := b.Get(t.Context(), "k"); string(v) != "v" || !ok || err != nil {
		t.Errorf("Get = %q, %v, %v", v, ok, err)
	}
	if requests := f.log(); len(requests) != 3 || !strings.Contains(requests[2], "generation=1") {
		t.Errorf("requests: %q; want a third, for the metadata of the same generation", requests)
	}
	f.expire("k")
	if _, ok, err := b.Get(t.Context(), "k"); ok || err != nil {
		t.Errorf("Get of an expired object = %v, %v", ok, err)
	}
	b.Set(t.Context(), "k", []byte("old"), time.Minute)
	f.on("attributes", func(n int) string {
		if n == 1 { // after the read of its bytes
			f.last++
			f.objects["k"] = newObject(stored{Name: "k", Generation: f.last}, []byte("new"))
		}
		return usual
	})
	if v, ok, err := b.Get(t.Context(), "k"); string(v) != "new" || !ok || err != nil {
		t.Errorf("Get of an object that is replaced = %q, %v, %v; want new", v, ok, err)
	}
}
