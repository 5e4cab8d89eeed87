package memcached

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"
)

// testdata/distribution.json was written with clients of Python by the script beside it.
func TestDistributionOfPython(t *testing.T) {
	var vectors struct {
		Servers, Weighted, Keys []string
		Places                  map[string][]int
	}
	text, err := os.ReadFile("testdata/distribution.json")
	must(t, err)
	must(t, json.Unmarshal(text, &vectors))
	for name, o := range map[string]Options{
		"python_memcached":          {Servers: vectors.Servers, Distribution: PythonMemcached},
		"python_memcached weighted": {Servers: vectors.Weighted, Distribution: PythonMemcached},
		"pylibmc":                   {Servers: vectors.Servers, Distribution: Pylibmc},
		"pylibmc weighted":          {Servers: vectors.Weighted, Distribution: Pylibmc},
		"ketama":                    {Servers: vectors.Servers, Distribution: Ketama},
		"ketama_weighted":           {Servers: vectors.Servers, Distribution: KetamaWeighted},
		"ketama_weighted weighted":  {Servers: vectors.Weighted, Distribution: KetamaWeighted},
	} {
		if len(vectors.Places[name]) != len(vectors.Keys) {
			t.Fatalf("%s: %d places for %d keys", name, len(vectors.Places[name]), len(vectors.Keys))
		}
		selector := o.selector()
		for i, key := range vectors.Keys {
			addr, err := selector.PickServer(key)
			if want := vectors.Servers[vectors.Places[name][i]]; err != nil || addr.String() != want {
				t.Errorf("%s: %q is at %v, %v; want %s", name, key, addr, err, want)
			}
		}
	}
}

func TestDistributionOfGomemcache(t *testing.T) {
	servers := []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:2"}
	var theirs memcache.ServerList
	must(t, theirs.SetServers(servers...))
	ours := Options{Servers: servers}.selector()
	for i := range 100 {
		key := fmt.Sprintf("key-%d", i)
		want, _ := theirs.PickServer(key)
		if got, err := ours.PickServer(key); err != nil || got.String() != want.String() {
			t.Errorf("%q is at %v, %v; want %v", key, got, err, want)
		}
	}
	var each []string
	must(t, ours.Each(func(addr net.Addr) error { each = append(each, addr.String()); return nil }))
	if !slices.Equal(each, servers[:3]) {
		t.Errorf("Each calls for %v; want each server once", each)
	}
}

// The servers of a selector may change.
func TestSelector(t *testing.T) {
	a, b := startFake(t, nil), startFake(t, nil)
	var list memcache.ServerList
	backend := start(t, Options{Selector: &list})
	if err := backend.Set(t.Context(), "k", nil, 0); err == nil {
		t.Error("Set without a server succeeds")
	}
	if err := backend.Ping(t.Context()); err == nil {
		t.Error("Ping without a server succeeds")
	}
	for _, f := range []*fake{a, b} {
		must(t, list.SetServers(f.addr))
		must(t, backend.Set(t.Context(), "k", nil, 0))
		must(t, backend.Ping(t.Context()))
	}
	if a.count("ms") != 1 || b.count("ms") != 1 {
		t.Errorf("the servers got %d and %d sets; want 1 each", a.count("ms"), b.count("ms"))
	}
}
