package gcs

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestGetWithTTL(t *testing.T) {
	for name, noMeta := range map[string]bool{"one request": false, "without metadata": true} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			f.noMeta = noMeta
			b, ctx := start(t, f, Options{}), t.Context()
			for _, ttl := range []time.Duration{0, time.Minute, time.Hour} {
				for _, value := range []string{"value", ""} {
					before := time.Now()
					if err := b.Set(ctx, "k", []byte(value), ttl); err != nil {
						t.Fatal(err)
					}
					stored := time.Now().Add(ttl + time.Millisecond)
					f.log()
					got, left, ok, err := b.GetWithTTL(ctx, "k")
					if string(got) != value || !ok || err != nil {
						t.Fatalf("GetWithTTL = %q, %v, %v; want %q", got, ok, err, value)
					}
					if ttl == 0 && left != 0 || ttl > 0 && (left > time.Until(stored)+time.Since(before) || left < ttl-time.Since(before)) {
						t.Errorf("remaining TTL %v; want %v", left, ttl)
					}
					if n := len(f.log()); n != 1 && !noMeta {
						t.Errorf("%d requests; want 1", n)
					}
					values, ttls, err := b.GetManyWithTTL(ctx, []string{"k", "absent", "k"})
					if err != nil || string(values[0]) != value || values[1] != nil || string(values[2]) != value || values[2] == nil ||
						ttls[0] > ttl+time.Millisecond || (ttls[2] == 0) != (ttl == 0) {
						t.Errorf("GetManyWithTTL = %q, %v, %v", values, ttls, err)
					}
				}
			}
			f.put("foreign", "x", nil)
			if got, left, ok, err := b.GetWithTTL(ctx, "foreign"); string(got) != "x" || left != 0 || !ok || err != nil {
				t.Errorf("GetWithTTL of a foreign object = %q, %v, %v, %v", got, left, ok, err)
			}
		})
	}
}

// The TTL ends when the entry is absent.
func TestRemainingTTLIsNotTooLong(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	end := time.Now().Add(50 * time.Millisecond).Truncate(time.Millisecond)
	f.put("k", "v", map[string]string{metaExpires: strconv.FormatInt(end.UnixMilli(), 10)})
	for present := true; present; {
		limit := time.Until(end)
		_, left, ok, err := b.GetWithTTL(t.Context(), "k")
		if err != nil || ok && (left <= 0 || left > max(limit, 1)) {
			t.Fatalf("TTL %v, %v, %v; want at most %v", left, ok, err, limit)
		}
		present = ok
	}
}

func TestGetAppend(t *testing.T) {
	f := startFake(t)
	b, ctx := start(t, f, Options{}), t.Context()
	for _, value := range []string{"v", "", strings.Repeat("v", 3<<20)} {
		if err := b.Set(ctx, "k", []byte(value), 0); err != nil {
			t.Fatal(err)
		}
		for _, dst := range [][]byte{nil, {}, []byte("dst"), make([]byte, 3, 10), make([]byte, 5, 4<<20)} {
			before := string(dst)
			got, ok, err := b.GetAppend(ctx, "k", dst)
			if string(got) != before+value || !ok || err != nil {
				t.Errorf("GetAppend to %d of %d = %.20q, %v, %v; want %.20q", len(dst), cap(dst), got, ok, err, before+value)
			}
			if len(value) <= cap(dst)-len(dst) && cap(got) != cap(dst) {
				t.Errorf("GetAppend to %d of %d returns other memory for %d bytes", len(dst), cap(dst), len(value))
			}
			if got, ok, err := b.GetAppend(ctx, "absent", dst); string(got) != before || cap(got) != cap(dst) || ok || err != nil {
				t.Errorf("GetAppend of an absent key = %q, %v, %v; want dst", got, ok, err)
			}
		}
	}
	f.put("k", "value", nil)
	f.get("k").content = []byte("Value")
	if got, ok, err := b.GetAppend(soon(t, 20*time.Millisecond), "k", make([]byte, 0, 10)); len(got) > 0 || ok || err == nil {
		t.Errorf("GetAppend of damaged bytes = %q, %v, %v", got, ok, err)
	}
}

func TestReadAll(t *testing.T) {
	for name, memory := range map[string][]byte{"own memory": nil, "memory": make([]byte, 0, 10), "short memory": make([]byte, 0, 2)} {
		for data, sizes := range map[string][]int64{"": {-1, 0}, "value": {-1, 5}, "0123456789": {10}} {
			for _, size := range sizes {
				got, err := readAll(iotest.OneByteReader(strings.NewReader(data)), size, memory)
				if string(got) != data || err != nil {
					t.Errorf("%s: %d bytes of %q = %q, %v", name, size, data, got, err)
				}
			}
		}
		for data, size := range map[string]int64{"": 1, "value": 6, "values": 5} {
			if got, err := readAll(strings.NewReader(data), size, memory); err == nil {
				t.Errorf("%s: %d bytes of %q = %q", name, size, data, got)
			}
		}
		for _, r := range []io.Reader{iotest.ErrReader(io.ErrClosedPipe), io.MultiReader(strings.NewReader("value"), iotest.ErrReader(io.ErrClosedPipe))} {
			if got, err := readAll(r, 5, memory); err != io.ErrClosedPipe {
				t.Errorf("%s: a reader that fails = %q, %v", name, got, err)
			}
		}
	}
}

// A large value is read into the memory of the caller, and written from it: what is
// allocated besides does not grow with the value.
func TestLargeValuesAreNotCopied(t *testing.T) {
	f := startFake(t)
	const size = 2 << 20
	value := bytes.Repeat([]byte("v"), size)
	b := start(t, f, Options{})
	if err := b.Set(t.Context(), "k", value, 0); err != nil {
		t.Fatal(err)
	}
	checksum := f.get("k").Crc32c
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kindOf(r) == "write" { // without keeping the value, as the fake does
			buffer := make([]byte, 16<<10)
			for _, err := r.Body.Read(buffer); err == nil; _, err = r.Body.Read(buffer) {
			}
			io.WriteString(w, `{"generation": "7"}`)
			return
		}
		w.Header().Set("X-Goog-Generation", "7")
		w.Header().Set("X-Goog-Meta-Cache-Expires", "0")
		w.Header().Set("X-Goog-Hash", "crc32c="+checksum)
		w.Header().Set("Content-Length", strconv.Itoa(size))
		w.Write(value)
	}))
	server.Start()
	t.Cleanup(server.Close)
	b = start(t, &fake{url: server.URL}, Options{})
	if n := allocated(func() {
		if err := b.Set(t.Context(), "k", value, 0); err != nil {
			t.Fatal(err)
		}
	}); n > size/8 {
		t.Errorf("Set of %d bytes allocates %d", size, n)
	}
	buffer := append(make([]byte, 0, size+3), "dst"...)
	if n := allocated(func() {
		got, ok, err := b.GetAppend(t.Context(), "k", buffer)
		if !ok || err != nil || !bytes.Equal(got[3:], value) || &got[0] != &buffer[0] {
			t.Errorf("GetAppend = %d bytes, %v, %v", len(got), ok, err)
		}
	}); n > size/8 {
		t.Errorf("GetAppend of %d bytes allocates %d", size, n)
	}
}

// allocated returns the fewest bytes that do allocates in several runs: the server and the
// runtime allocate as well.
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
