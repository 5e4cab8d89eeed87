package gcs

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// registerJSON stands for package flask, which this module does not require: the pickle of
// JSON is "\x80\x04" and its text.
func registerJSON() {
	driver.RegisterFlaskJSON(driver.FlaskJSON{
		FromPickle: func(pickle []byte) ([]byte, bool) {
			text, ok := strings.CutPrefix(string(pickle), "\x80\x04")
			return []byte(text), ok && json.Valid([]byte(text))
		},
		ToPickle: func(text []byte) ([]byte, error) {
			if !json.Valid(text) {
				return nil, driver.ErrCorrupt
			}
			return append([]byte("\x80\x04"), text...), nil
		},
	})
}

func TestFlaskRequiresPackageFlask(t *testing.T) {
	driver.RegisterFlaskJSON(driver.FlaskJSON{}) // as if it were not registered
	f := startFake(t)
	if b, err := New(t.Context(), Options{Bucket: "b", Endpoint: f.url, Anonymous: true, Flask: true}); !errors.Is(err, driver.ErrInvalidSettings) {
		t.Errorf("New: %v, %v", b, err)
	}
}

func TestFlask(t *testing.T) {
	registerJSON()
	f := startFake(t)
	b := start(t, f, Options{Flask: true})
	for value, want := range map[string]struct{ content, contentType, back string }{
		"5":                            {"5", "application/json", "5"},
		"\x80\x04{\"a\": [null]}":      {`{"a": [null]}`, "application/json", "\x80\x04{\"a\": [null]}"},
		"\x80\x04C\x02ab.":             {"ab", "application/octet-stream", "\x80\x03B\x02\x00\x00\x00ab."},
		"\x80\x03B\x02\x00\x00\x00ab.": {"ab", "application/octet-stream", "\x80\x03B\x02\x00\x00\x00ab."},
		"\x80\x04C\x03ab.":             {"\x80\x04C\x03ab.", "application/octet-stream", "\x80\x04C\x03ab."},
		"text":                         {"text", "application/octet-stream", "text"},
		"":                             {"", "application/octet-stream", ""},
	} {
		if err := b.Set(t.Context(), "k", []byte(value), time.Minute); err != nil {
			t.Fatal(err)
		}
		o := f.get("k")
		if string(o.content) != want.content || o.ContentType != want.contentType || o.CustomTime == "" {
			t.Errorf("%q is stored as %q, %s, %s", value, o.content, o.ContentType, o.CustomTime)
		}
		for _, noMeta := range []bool{false, true} {
			f.noMeta = noMeta
			if got, ok, err := b.Get(t.Context(), "k"); string(got) != want.back || !ok || err != nil {
				t.Errorf("%q is read as %q, %v, %v, want %q", value, got, ok, err, want.back)
			}
		}
		f.noMeta = false
		if swapped, err := b.CompareAndSwap(t.Context(), "k", []byte(value), []byte("7"), time.Minute); !swapped || err != nil {
			t.Errorf("CompareAndSwap of %q: %v, %v", value, swapped, err)
		}
	}
	if sum, err := b.Inc(t.Context(), "k", 1, 0); sum != 8 || err != nil || f.get("k").ContentType != contentTypeJSON {
		t.Errorf("Inc = %d, %v: %+v", sum, err, f.get("k"))
	}
}

// What Flask-Caching stores has its expiry time in customTime alone.
func TestFlaskReadsPython(t *testing.T) {
	registerJSON()
	f := startFake(t)
	b := start(t, f, Options{Flask: true})
	put := func(contentType, content string, ends time.Time) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.last++
		o := stored{Name: "k", Generation: f.last, ContentType: contentType}
		if !ends.IsZero() {
			o.CustomTime = ends.UTC().Format(time.RFC3339Nano)
		}
		f.objects["k"] = newObject(o, []byte(content))
	}
	for _, c := range []struct{ contentType, content, want string }{
		{"application/json", `"text"`, "\x80\x04\"text\""}, {"application/json", "5", "5"}, {"application/json", "NaN", "NaN"},
		{"application/octet-stream", "5", "\x80\x03B\x01\x00\x00\x005."}, {"text/plain", "x", "\x80\x03B\x01\x00\x00\x00x."},
	} {
		put(c.contentType, c.content, time.Time{})
		if got, ttl, ok, err := b.GetWithTTL(t.Context(), "k"); string(got) != c.want || ttl != 0 || !ok || err != nil {
			t.Errorf("%s %s is read as %q, %v, %v, %v", c.contentType, c.content, got, ttl, ok, err)
		}
	}
	put("application/json", "1", time.Now().Add(time.Minute))
	if _, ttl, ok, err := b.GetWithTTL(t.Context(), "k"); ttl <= 0 || ttl > time.Minute+time.Millisecond || !ok || err != nil {
		t.Errorf("GetWithTTL = %v, %v, %v", ttl, ok, err)
	}
	put("application/json", "1", time.Now().Add(-time.Second))
	if ok, err := b.Has(t.Context(), "k"); ok || err != nil {
		t.Errorf("Has of an expired object = %v, %v", ok, err)
	}
	if added, err := b.Add(t.Context(), "k", []byte("2"), 0); !added || err != nil {
		t.Errorf("Add over an expired object = %v, %v", added, err)
	}
}

// Python takes an object for expired if its customTime has passed.
func TestFlaskLeaseIsExpiredForPython(t *testing.T) {
	registerJSON()
	f := startFake(t)
	b := start(t, f, Options{Flask: true})
	_, _, token, err := b.Lease(t.Context(), "k", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if ends, err := time.Parse(time.RFC3339, f.get("k").CustomTime); err != nil || time.Since(ends) < time.Hour {
		t.Errorf("the customTime of a lease is %v, %v", ends, err)
	}
	if filled, err := b.Fill(t.Context(), "k", token, []byte("5"), 0); !filled || err != nil {
		t.Errorf("Fill = %v, %v", filled, err)
	}
	if got, ok, err := b.Get(t.Context(), "k"); string(got) != "5" || !ok || err != nil {
		t.Errorf("Get = %q, %v, %v", got, ok, err)
	}
}

// Scan takes the expiry time of an object of Python from customTime, and does not return
// the length of JSON or bytes as that of the pickle which Get makes of them.
func TestFlaskScan(t *testing.T) {
	registerJSON()
	f := startFake(t)
	b := start(t, f, Options{Flask: true})
	for key, value := range map[string]string{"json": "\x80\x04[1]", "bytes": "\x80\x04C\x02ab.", "raw": "a pickle of a date"} {
		if err := b.Set(t.Context(), key, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	for key, age := range map[string]time.Duration{"live in Python": -time.Hour, "expired in Python": time.Second, "without expiry in Python": 0} {
		o := stored{Name: key, Generation: 1, ContentType: contentTypeJSON}
		if age != 0 {
			o.CustomTime = time.Now().Add(-age).UTC().Format(time.RFC3339Nano)
		}
		f.objects[key] = newObject(o, []byte("[1]"))
	}
	entries, err := listed(t, b, "")
	if err != nil || len(entries) != 5 {
		t.Fatalf("Scan lists %v, %v; want 5 entries", entries, err)
	}
	for key, size := range map[string]int64{"json": -1, "bytes": -1, "raw": int64(len("a pickle of a date")), "without expiry in Python": -1} {
		if got, want := entries[key], (driver.Entry{Key: key, Size: size}); got != want {
			t.Errorf("got %+v; want %+v", got, want)
		}
	}
	if e := entries["live in Python"]; e.TTL <= 0 || e.TTL > time.Hour+time.Millisecond || e.Size != -1 {
		t.Errorf("got %+v; want the time that is left and no size", e)
	}
}
