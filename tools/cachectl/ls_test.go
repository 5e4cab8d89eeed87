package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

func TestLs(t *testing.T) {
	store, env := memoryStore(t)
	for key, ttl := range map[string]time.Duration{"user:1": time.Hour, "user:22": 0, "page": 90 * time.Minute} {
		if err := store.Set(t.Context(), key, []byte(key), ttl); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args string
		want []string // lines; sorted if the arguments do not
	}{
		{"ls user: --sort key", []string{"    1h0m0s           6  user:1", "     never           7  user:22"}},
		{"ls --keys", []string{"page", "user:1", "user:22"}},
		{"ls --keys --sort ttl", []string{"user:1", "page", "user:22"}},
		{"ls --keys --sort size --reverse", []string{"user:22", "user:1", "page"}},
		{"ls --keys --sort key --limit 2", []string{"page", "user:1"}},
		{"ls --human --sort size --limit 1", []string{"   1h30m0s          4B  page"}},
		{"ls nothing", []string{""}},
	} {
		o := call(env, strings.Fields(test.args)...)
		got := lines(o.stdout)
		if !strings.Contains(test.args, "--sort") {
			slices.Sort(got)
		}
		if o.status != 0 || o.stderr != "" || !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, %+v; want %q", test.args, got, o, test.want)
		}
	}
	if got := call(env, "ls", "--limit", "1", "--keys"); len(lines(got.stdout)) != 1 {
		t.Errorf("--limit 1: %q", got.stdout)
	}
}

// Keys are written by other programs: they must not reach a terminal as control characters.
func TestLsPrintsKeysSafely(t *testing.T) {
	store, env := memoryStore(t)
	keys := []string{"\x1b[2Jcleared", "two\nlines", "tab\t", "\xff", `"quoted"`, "right\u202eleft", "ä b"}
	for _, key := range keys {
		if err := store.Set(t.Context(), key, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	o := call(env, "ls", "--keys", "--sort", "key")
	want := []string{`"\x1b[2Jcleared"`, `"\"quoted\""`, `"right\u202eleft"`, `"tab\t"`, `"two\nlines"`, `"\xff"`, "ä b"}
	got := lines(o.stdout)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	raw := strings.Split(strings.TrimSuffix(call(env, "ls", "--null").stdout, "\x00"), "\x00")
	slices.Sort(raw)
	slices.Sort(keys)
	if !slices.Equal(raw, keys) {
		t.Errorf("--null: got %q, want %q", raw, keys)
	}
}

func TestLsJSON(t *testing.T) {
	store, env := memoryStore(t)
	for key, ttl := range map[string]time.Duration{"a": 0, "\xff": time.Hour} {
		if err := store.Set(t.Context(), key, []byte("123"), ttl); err != nil {
			t.Fatal(err)
		}
	}
	got := lines(call(env, "ls", "--json", "--sort", "key").stdout)
	if got[0] != `{"expires":false,"key":"a","size":3}` {
		t.Errorf("got %s", got[0])
	}
	second := decode(t, got[1]+"\n")
	if second["key_base64"] != "/w==" || second["expires"] != true || second["ttl_seconds"].(float64) > 3600 {
		t.Errorf("got %v", second)
	}
}

// With --limit, --sort keeps few entries in memory, and still finds the right ones.
func TestLsSortsManyEntries(t *testing.T) {
	entries := func(yield func(driver.Entry, error) bool) {
		for i := range 10_000 {
			if !yield(driver.Entry{Key: fmt.Sprintf("%05d", i*7919%10_000)}, nil) {
				return
			}
		}
	}
	var got []string
	err := lsFlags{sort: "key", reverse: true, limit: 3}.each(entries, func(e driver.Entry) error {
		got = append(got, e.Key)
		return nil
	})
	if want := []string{"09999", "09998", "09997"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// What was listed before the store failed is printed, and the failure is reported.
func TestLsOfStoreThatFails(t *testing.T) {
	store, env := memoryStore(t)
	fill(t, store, 10)
	store.Fail("scan", "k5", cache.ErrUnavailable)
	o := call(env, "ls")
	if o.status != statusError || !strings.Contains(o.stderr, "unavailable") {
		t.Errorf("got %+v", o)
	}
	store.Heal()
	store.Fail("scan", "", errors.ErrUnsupported)
	if o := call(env, "ls"); o.status != statusError || !strings.Contains(o.stderr, "memcached with the text protocol") {
		t.Errorf("got %+v; want a hint at backends that list", o)
	}
}

func TestDu(t *testing.T) {
	store, env := memoryStore(t)
	for key, size := range map[string]int{"user:1:name": 10, "user:1:mail": 20, "user:2:name": 5, "page/1": 100, "top": 1} {
		if err := store.Set(t.Context(), key, make([]byte, size), time.Duration(size%2)*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	const head = "       BYTES    ENTRIES      NEVER  PREFIX\n"
	for _, test := range []struct{ args, want string }{
		{"du", head + `         101          2          1  ""
          35          3          2  user:
         136          5          3  total
`},
		{"du --depth 2", head + `         101          2          1  ""
          30          2          2  user:1:
           5          1          0  user:2:
         136          5          3  total
`},
		{"du user: --human", head + `         30B          2          2  user:1:
          5B          1          0  user:2:
         35B          3          2  total
`},
		{"du --separator /", head + `         100          1          1  page/
          36          4          2  ""
         136          5          3  total
`},
		{"du --depth 0", head + "         136          5          3  total\n"},
		{"du nothing", head + "           0          0          0  total\n"},
	} {
		call(env, strings.Fields(test.args)...).want(t, 0, test.want)
	}
	got := lines(call(env, "du", "user:", "--json").stdout)
	want := []string{
		`{"bytes":30,"entries":2,"kind":"prefix","prefix":"user:1:","without_ttl":2}`,
		`{"bytes":5,"entries":1,"kind":"prefix","prefix":"user:2:","without_ttl":0}`,
		`{"bytes":35,"entries":3,"kind":"total","without_ttl":2}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("--json: got %q, want %q", got, want)
	}
}

func TestDuIsBounded(t *testing.T) {
	u := newUsage("", ":", 1, 10)
	for i := range 1000 {
		u.add(driver.Entry{Key: fmt.Sprintf("%d:x", i), Size: -1})
	}
	if len(u.groups) != 10 || u.others.entries != 990 || u.total.entries != 1000 {
		t.Errorf("%d prefixes, %d others, %d in total", len(u.groups), u.others.entries, u.total.entries)
	}
	if text := string(u.report(false, byteCount{})); !strings.Contains(text, "?        990          990  (others)") && !strings.Contains(text, "(others)") {
		t.Errorf("report:\n%s", text)
	}
}
