package gcs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// listed collects a list.
func listed(t *testing.T, b *Backend, prefix string) (entries map[string]driver.Entry, err error) {
	t.Helper()
	entries = map[string]driver.Entry{}
	for entry, failed := range b.Scan(soon(t, ample), prefix) {
		if err = failed; err != nil {
			continue
		}
		if _, twice := entries[entry.Key]; twice {
			t.Errorf("%q twice", entry.Key)
		}
		entries[entry.Key] = entry
	}
	return entries, err
}

func TestScan(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{Prefix: "p/", DeleteExpiredOnRead: true})
	items := []driver.Item{{Key: "never"}}
	for i := range namesPerPage {
		items = append(items, driver.Item{Key: fmt.Sprint("k", i), Value: []byte("value")})
	}
	if err := b.SetMany(t.Context(), items, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := b.Set(t.Context(), "never", []byte("!"), 0); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := b.Lease(t.Context(), "leased", time.Minute); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.objects["p/expired"] = &stored{Name: "p/expired", Generation: 1, Metadata: map[string]string{metaExpires: "1"}}
	f.objects["p/foreign"] = &stored{Name: "p/foreign", Generation: 1, content: []byte("12")}
	f.objects["p/"] = &stored{Name: "p/", Generation: 1}
	f.objects["p/ü1"] = &stored{Name: "p/ü1", Generation: 1}
	f.objects["q/other"] = &stored{Name: "q/other", Generation: 1}
	f.mu.Unlock()
	f.log()
	entries, err := listed(t, b, "")
	if err != nil || len(entries) != namesPerPage+3 {
		t.Fatalf("%d entries, %v; want %d", len(entries), err, namesPerPage+3)
	}
	for key, size := range map[string]int64{"never": 1, "foreign": 2} {
		if got, want := entries[key], (driver.Entry{Key: key, Size: size}); got != want {
			t.Errorf("got %+v; want %+v", got, want)
		}
	}
	if e := entries["k7"]; e.Size != 5 || e.TTL <= 50*time.Minute || e.TTL > time.Hour {
		t.Errorf("got %+v", e)
	}
	if requests := f.log(); len(requests) != 2 {
		t.Errorf("%d requests; want one for each page", len(requests))
	}
	if entries, err := listed(t, b, "k99"); err != nil || len(entries) != 11 {
		t.Errorf("%d entries with the prefix k99, %v; want 11", len(entries), err)
	}
	for prefix, want := range map[string]int{"\xff": 0, "k9\xff": 0, "\xc3": 1, "\xc3\xbc": 1, "\xc3\xbd": 0} { // ü
		if entries, err := listed(t, b, prefix); err != nil || len(entries) != want {
			t.Errorf("%d entries with the prefix %q, %v; want %d", len(entries), prefix, err, want)
		}
	}
}

func TestScanFails(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	for i := range namesPerPage + 1 {
		name := fmt.Sprint("k", i)
		f.objects[name] = &stored{Name: name, Generation: 1}
	}
	f.on("list", func(n int) string { return map[bool]string{true: "403 forbidden", false: usual}[n > 1] })
	n := 0
	var last error
	for _, err := range b.Scan(t.Context(), "") {
		n, last = n+1, err
	}
	if n != namesPerPage+1 || !errors.Is(last, cache.ErrAuth) {
		t.Errorf("the list of %d ended with %v; want the first page and an error", n-1, last)
	}
	b.Close()
	if _, err := listed(t, b, ""); err != cache.ErrClosed {
		t.Errorf("after Close: %v", err)
	}
}

// A page of other programs' objects with as much metadata as the service allows, in
// characters that JSON escapes, is a list.
func TestScanOfLargePage(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	metadata := map[string]string{"note": strings.Repeat(`"`, 8<<10-len("note"))}
	for i := range namesPerPage {
		name := fmt.Sprintf("%01000d", i)
		f.objects[name] = &stored{Name: name, Generation: 1, Metadata: metadata}
	}
	if entries, err := listed(t, b, ""); err != nil || len(entries) != namesPerPage {
		t.Errorf("%d entries, %v; want %d", len(entries), err, namesPerPage)
	}
}
