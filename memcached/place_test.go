package memcached

import (
	"fmt"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"
)

// Place agrees with the selector that the requests use.
func TestPlace(t *testing.T) {
	servers := []string{"10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211"}
	b, err := New(t.Context(), Options{Servers: servers})
	if err != nil {
		t.Fatal(err)
	}
	selector := b.options.selector()
	seen := map[string]bool{}
	for i := range 100 {
		key := fmt.Sprint("k", i)
		want, err := selector.PickServer(key)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.Place(key); got != want.String() {
			t.Errorf("Place(%q) = %q, want %q", key, got, want)
		}
		seen[b.Place(key)] = true
	}
	if len(seen) != len(servers) {
		t.Errorf("100 keys are on %d servers", len(seen))
	}
	spread, err := New(t.Context(), Options{Servers: servers, Spread: true})
	if err != nil {
		t.Fatal(err)
	}
	borrowed, err := NewFromClient(memcache.New(servers...), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*Backend{"Spread": spread, "a borrowed client": borrowed} {
		if got := b.Place("k"); got != "" {
			t.Errorf("Place with %s = %q", name, got)
		}
	}
}
