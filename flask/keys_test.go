package flask

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// store keeps entries in a map.
type store map[string][]byte

func (s store) Get(_ context.Context, key string) ([]byte, bool, error) {
	value, ok := s[key]
	return value, ok, nil
}
func (s store) Set(_ context.Context, key string, value []byte, _ time.Duration) error {
	s[key] = value
	return nil
}
func (s store) Add(context.Context, string, []byte, time.Duration) (bool, error) { return false, nil }
func (s store) Delete(_ context.Context, key string) (bool, error) {
	_, ok := s[key]
	delete(s, key)
	return ok, nil
}
func (s store) Clear(context.Context) error { return nil }
func (s store) Close() error                { return nil }

var _ driver.Backend = store{}

// The keys were made by Flask-Caching 2.0.2.
func TestKeysOfViews(t *testing.T) {
	for _, c := range []struct {
		path  string
		query url.Values
		want  string
	}{
		{"/", nil, "view//"},
		{"/users/é", nil, "view//users/é"},
		{"/items", url.Values{}, "/itemsbcd8b0c2eb1fce714eab6cef0d771acc"},
		{"/items", url.Values{"a": {"1"}}, "/items323567448598467249db5b4170e00550"},
		{"/items", url.Values{"b": {"2"}, "a": {"1", "0"}}, "/itemscea27f5992a0d145ebf9d649a92083bd"},
	} {
		if got := ViewKey(c.path, c.query); got != c.want {
			t.Errorf("ViewKey(%q, %v) = %q, want %q", c.path, c.query, got, c.want)
		}
	}
}

// testdata/keys-*.json is what testdata/keys.py prints with these versions of
// Flask-Caching.
func TestKeysOfFlaskCaching(t *testing.T) {
	files, err := filepath.Glob("testdata/keys-*.json")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		testKeys(t, golden)
	}
}

// The installed Flask-Caching makes the same keys.
func TestKeysOfInstalledFlaskCaching(t *testing.T) {
	out, err := exec.Command("/usr/bin/python3", "testdata/keys.py").Output()
	if err != nil {
		t.Skipf("Flask-Caching is not installed; the golden file is tested: %v", err)
	}
	testKeys(t, out)
}

func testKeys(t *testing.T, out []byte) {
	var made struct {
		Views map[string]string // from the raw query
		Memo  map[string]string
		Store map[string][]byte
	}
	if err := json.Unmarshal(out, &made); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for raw, want := range made.Views {
		query, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := ViewKey("/items", query); got != want {
			t.Errorf("the key of /items?%s is %q, want %q", raw, got, want)
		}
	}
	c := cache.New(store(made.Store), cache.WithCodec(Codec))
	for name, args := range memoArguments {
		key, ok, err := MemoKey(t.Context(), c, "testdata_keys.get_user", args...)
		if !ok || err != nil || key != made.Memo[name] {
			t.Errorf("%s: MemoKey = %q, %v, %v, want %q", name, key, ok, err, made.Memo[name])
		}
	}
	if len(made.Memo) != len(memoArguments) || len(made.Views) < 5 {
		t.Errorf("testdata/keys.py made %d keys of views and %d of functions", len(made.Views), len(made.Memo))
	}
	for range 2 {
		forgotten, err := Forget(t.Context(), c, "testdata_keys.get_user")
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := MemoKey(t.Context(), c, "testdata_keys.get_user", int64(1), "x"); ok || err != nil {
			t.Errorf("MemoKey of a function that was forgotten (%v): %v, %v", forgotten, ok, err)
		}
	}
}

// memoArguments are those of testdata/keys.py.
var memoArguments = map[string][]any{
	"ints":    {int64(1), int64(-2)},
	"texts":   {"it's", "é\n\"'\u200b"},
	"floats":  {1.0, 1e16},
	"small":   {1e-5, 0.1},
	"nested":  {[]any{int64(1), Tuple{"a"}}, nil},
	"bools":   {true, false},
	"bytes":   {[]byte("a'\x00\xff"), []byte{}},
	"special": {Decimal("1.50"), Date{2026, 1, 31}},
	"default": {int64(5), "b"},
}

func TestMemoKeyRefuses(t *testing.T) {
	c := cache.New(store{}, cache.WithCodec(Codec))
	for _, arg := range []any{struct{}{}, Set{1}, map[string]any{}, time.Now()} {
		if key, _, err := MemoKey(t.Context(), c, "app.f", arg); err == nil {
			t.Errorf("MemoKey of a %T = %q", arg, key)
		}
	}
}

func TestForgetView(t *testing.T) {
	c := cache.New(store{"view//users": nil})
	for _, want := range []bool{true, false} {
		if ok, err := ForgetView(t.Context(), c, "/users", nil); ok != want || err != nil {
			t.Errorf("ForgetView = %v, %v", ok, err)
		}
	}
}
