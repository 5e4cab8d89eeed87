package uwsgi

import (
	"testing"
	"time"
)

// The server keeps integers as pickles, and all other values as they are.
func TestFlask(t *testing.T) {
	server := startFake(t)
	b, err := New(t.Context(), Options{Addr: server.addr, Cache: "c", Flask: true})
	if err != nil {
		t.Fatal(err)
	}
	stored := func(key string) string {
		server.mu.Lock()
		defer server.mu.Unlock()
		return string(server.items[key].value)
	}
	for value, want := range map[string]string{
		"5": "\x80\x04K\x05.", "-1": "\x80\x04J\xff\xff\xff\xff.", "05": "05", "text": "text", "": "\x00", "\x80\x04\x8c\x01x.": "\x80\x04\x8c\x01x.",
	} {
		if err := b.Set(t.Context(), "set", []byte(value), time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Delete(t.Context(), "add"); err != nil {
			t.Fatal(err)
		}
		if added, err := b.Add(t.Context(), "add", []byte(value), time.Hour); !added || err != nil {
			t.Fatalf("Add = %v, %v", added, err)
		}
		for _, key := range []string{"set", "add"} {
			if stored(key) != want {
				t.Errorf("%q is stored as %q, want %q", value, stored(key), want)
			}
			got, ok, err := b.GetAppend(t.Context(), key, make([]byte, 0, 100))
			if string(got) != value || !ok || err != nil {
				t.Errorf("GetAppend of %q = %q, %v, %v", value, got, ok, err)
			}
		}
	}
	// Python writes protocol 5.
	server.mu.Lock()
	server.items["theirs"] = entry{value: []byte("\x80\x05\x95\x04\x00\x00\x00\x00\x00\x00\x00M,\x01.")}
	server.mu.Unlock()
	if got, _, ok, err := b.GetWithTTL(t.Context(), "theirs"); string(got) != "300" || !ok || err != nil {
		t.Errorf("GetWithTTL = %q, %v, %v", got, ok, err)
	}
}
