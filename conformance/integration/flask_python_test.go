package integration

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/flask"
)

// flaskValues are the values of testdata/flask_app.py.
var flaskValues = map[string]any{
	"none": nil, "true": true, "false": false, "int": int64(42), "negative": int64(-7), "zero": int64(0),
	"int max": int64(math.MaxInt64), "int min": int64(math.MinInt64), "big": new(big.Int).Lsh(big.NewInt(1), 70),
	"float": 1.5, "str": "text", "str unicode": "é€😀\n", "str digits": "12", "bytes": []byte("\x00\xff!"), "bytes digits": []byte("12"),
	"bytes empty": []byte{}, "str empty": "", "list": []any{int64(1), "a", nil, []any{2.5}}, "tuple": flask.Tuple{int64(1), flask.Tuple{int64(2), int64(3)}},
	"dict": map[string]any{"a": int64(1), "b": map[string]any{"c": []any{true}}},
	"set":  flask.Set{int64(7)}, "frozenset": flask.Set{int64(7)}, "datetime": time.Date(2026, 1, 31, 23, 59, 58, 123456000, flask.Naive),
	"datetime utc": time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), "date": flask.Date{Year: 2026, Month: 1, Day: 31},
	"timedelta": -3*24*time.Hour + 5*time.Second + 7*time.Microsecond, "decimal": flask.Decimal("1.50"),
	"uuid": flask.UUID{0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78},
}

func flaskKey(name string) string { return strings.ReplaceAll(name, " ", "_") }

// sameValue compares what Python stored with what Go reads.
func sameValue(got, want any) bool {
	if x, ok := got.(time.Time); ok {
		y, ok := want.(time.Time)
		_, xOffset := x.Zone()
		_, yOffset := y.Zone()
		return ok && x.Equal(y) && xOffset == yOffset && (x.Location() == flask.Naive) == (y.Location() == flask.Naive)
	}
	if x, ok := got.(*big.Int); ok {
		y, ok := want.(*big.Int)
		return ok && x.Cmp(y) == 0
	}
	return reflect.DeepEqual(got, want)
}

// flaskStore is a store of Flask-Caching with its settings, which are also those of Go.
type flaskStore struct {
	name     string
	settings map[string]any
	native   bool // pylibmc stores a bool as a number, and reads it as an int
	spread   bool // Flask's inc, has and add use another key than its get
	small    bool // it has no room for large values
	uncount  bool // Go has no counters there

	more map[string]any // settings of Go alone
	dirs []string       // that both use
	app  *servers.Flask // the application, if it runs in the store
}

func startFlaskStores(t *testing.T) []flaskStore {
	redis, one, three := servers.StartRedis(t, ""), servers.StartMemcached(t, 1, ""), servers.StartMemcached(t, 3, "")
	sasl, other := servers.StartMemcachedSASL(t, "app", "hunter2", ""), servers.StartMemcachedSASL(t, "app", "hunter2", "")
	spread := servers.StartMemcached(t, 3, "")
	return flaskStoresOf(redis.Addrs[0], one.Addrs, three.Addrs, sasl.Addrs, spread.Addrs, other.Addrs)
}

func flaskStoresOf(redis string, one, three, sasl, spread, spreadSASL []string) []flaskStore {
	host, port, _ := strings.Cut(redis, ":")
	memcached := func(kind string, addrs []string) map[string]any {
		return map[string]any{"CACHE_TYPE": kind, "CACHE_MEMCACHED_SERVERS": addrs}
	}
	login := func(settings map[string]any) map[string]any {
		settings["CACHE_MEMCACHED_USERNAME"], settings["CACHE_MEMCACHED_PASSWORD"] = "app", "hunter2"
		return settings
	}
	return []flaskStore{
		{name: "redis", settings: map[string]any{"CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": host, "CACHE_REDIS_PORT": port, "CACHE_REDIS_DB": 1}},
		{name: "memcached", settings: memcached("MemcachedCache", one), native: true},
		{name: "memcached-three", settings: memcached("MemcachedCache", three), native: true},
		{name: "memcached-sasl", settings: login(memcached("SASLMemcachedCache", sasl)), native: true},
		{name: "spread", settings: memcached("SpreadSASLMemcachedCache", spread), spread: true},
		{name: "spread-sasl", settings: login(memcached("SpreadSASLMemcachedCache", spreadSASL)), spread: true},
	}
}

// open opens the cache of Go with the settings of Flask and the switch.
func (s flaskStore) open(t *testing.T) *cache.Cache {
	t.Helper()
	settings := maps.Clone(s.settings)
	settings["CACHE_FLASK"] = true
	maps.Copy(settings, s.more)
	if s.dirs == nil {
		settings = patient(settings)
	}
	c, err := cache.Open(t.Context(), cache.FromMap(settings))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// want returns what Go reads of a value that Python has stored.
func (s flaskStore) want(name string) any {
	if value, isBool := flaskValues[name].(bool); isBool && s.native {
		return map[bool]any{true: int64(1), false: int64(0)}[value]
	}
	return flaskValues[name]
}

// flaskFiles is a directory, with a prefix that Flask-Caching ignores.
func flaskFiles(t *testing.T) flaskStore {
	dir, err := os.MkdirTemp("", "flask")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil { // Python may be another user
		t.Fatal(err)
	}
	return flaskStore{name: "filesystem", dirs: []string{dir}, settings: map[string]any{
		"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": dir, "CACHE_THRESHOLD": 2000, "CACHE_KEY_PREFIX": "ignored",
		"CACHE_OPTIONS": map[string]any{"mode": 0o666},
	}}
}

// flaskWorkers is a uWSGI server with the application in its workers.
func flaskWorkers(t *testing.T) flaskStore {
	settings := map[string]any{"CACHE_TYPE": "flask_caching.contrib.uwsgicache.UWSGICache", "CACHE_UWSGI_NAME": "first"}
	server := servers.StartUwsgi(t, servers.WithConfig(t, flaskProgram, settings))
	servers.NeedsFlask(t, server.Machine)
	return flaskStore{
		name: "uwsgi", settings: settings, small: true, uncount: true, app: &servers.Flask{Machine: server.Machine, URL: server.URL},
		more: map[string]any{"CACHE_UWSGI_NAME": "first@" + server.Addr, "CACHE_OPTIONS": map[string]any{"max_value": servers.UwsgiBlockSize}},
	}
}

// flaskApp is a running testdata/flask_app.py.
type flaskApp struct {
	t *testing.T
	*servers.Flask
}

//go:embed testdata/flask_app.py
var flaskProgram string

func (s flaskStore) start(t *testing.T) *flaskApp {
	t.Helper()
	if s.app != nil {
		return &flaskApp{t, s.app}
	}
	return &flaskApp{t, servers.StartFlask(t, flaskProgram, s.settings, s.dirs...)}
}

// eval returns the repr of an expression of Python.
func (a *flaskApp) eval(format string, args ...any) string {
	a.t.Helper()
	return a.Call(a.t, format, args...)
}

// want checks an expression of Python.
func (a *flaskApp) want(repr, format string, args ...any) {
	a.t.Helper()
	if got := a.eval(format, args...); got != repr {
		a.t.Errorf("in Python, %s is %s, want %s", fmt.Sprintf(format, args...), got, repr)
	}
}

// A Flask program and Go share the entries of every store, in both directions. Without
// Flask-Caching on the machine, flask_golden_test.go has the same layouts.
func TestFlaskPython(t *testing.T) {
	busy(t)
	stores := startFlaskStores(t)
	if *update {
		writeGolden(t, stores)
		return
	}
	for _, s := range append(stores, flaskFiles(t), flaskWorkers(t)) {
		t.Run(s.name, func(t *testing.T) {
			app, c := s.start(t), s.open(t)
			t.Run("values", func(t *testing.T) { testFlaskValues(t, s, c, app) })
			t.Run("deletes", func(t *testing.T) { testFlaskDeletes(t, s, c, app) })
			if !s.uncount {
				t.Run("counters", func(t *testing.T) { testFlaskCounters(t, s, c, app) })
			}
			t.Run("methods", func(t *testing.T) { testFlaskMethods(t, c, app) })
			t.Run("views", func(t *testing.T) { testFlaskViews(t, c, app) })
			t.Run("many", func(t *testing.T) { testFlaskMany(t, s, c, app) })
		})
	}
}

func testFlaskValues(t *testing.T, s flaskStore, c *cache.Cache, app *flaskApp) {
	ctx, view := t.Context(), cache.Of[any](c)
	app.want("[]", "write()")
	for name := range flaskValues {
		key := "py-" + flaskKey(name)
		got, ok, err := view.Get(ctx, key)
		if !ok || err != nil || !sameValue(got, s.want(name)) {
			t.Errorf("Python stored %s, Go reads %#v, %v, %v; want %#v", name, got, ok, err, s.want(name))
		}
		if ok, err := c.Has(ctx, key); !ok || err != nil {
			t.Errorf("Has of %s = %v, %v", name, ok, err)
		}
		if left, ok, err := c.TTL(ctx, key); err == nil && (!ok || left < 59*time.Minute || left > time.Hour+5*time.Second) {
			t.Errorf("Python gave %s an hour, TTL = %v, %v", name, left, ok)
		} else if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
	}
	for name, want := range map[string]string{"str unicode": "é€😀\n", "bytes": "\x00\xff!", "int": "42", "bytes digits": "12"} {
		raw, _, err := c.Get(ctx, "py-"+flaskKey(name))
		text, _, err2 := cache.Of[string](c).Get(ctx, "py-"+flaskKey(name))
		if string(raw) != want || text != want || err != nil || err2 != nil {
			t.Errorf("%s as bytes %q, %v, as text %q, %v; want %q", name, raw, err, text, err2, want)
		}
	}
	if yes, ok, err := cache.Of[bool](c).Get(ctx, "py-true"); !yes || !ok || err != nil {
		t.Errorf("True as a bool = %v, %v, %v", yes, ok, err)
	}

	for name, value := range flaskValues {
		if err := view.Set(ctx, "go-"+flaskKey(name), value, cache.Timeout(time.Hour)); err != nil {
			t.Errorf("Set of %s: %v", name, err)
		}
	}
	app.want("{}", "wrong()")
	// The types of Go that other codecs do not encode.
	must(t, c.Set(ctx, "go-bytes", flaskValues["bytes"].([]byte)))
	must(t, cache.Of[string](c).Set(ctx, "go-str", "text"))
	must(t, cache.Of[int32](c).Set(ctx, "go-negative", -7))
	must(t, cache.Of[bool](c).Set(ctx, "go-true", true))
	must(t, cache.Of[struct {
		A int `pickle:"a"`
		B any `pickle:"b"`
	}](c).Set(ctx, "go-dict", struct {
		A int `pickle:"a"`
		B any `pickle:"b"`
	}{1, map[string][]bool{"c": {true}}}))
	app.want("{}", "wrong()")
}

func testFlaskDeletes(t *testing.T, s flaskStore, c *cache.Cache, app *flaskApp) {
	ctx := t.Context()
	if deleted, err := c.Delete(ctx, "py-str"); !deleted || err != nil {
		t.Errorf("Delete = %v, %v", deleted, err)
	}
	app.want("None", `cache.get("py-str")`)
	app.eval(`cache.delete("go-str")`)
	if _, ok, err := c.Get(ctx, "go-str"); ok || err != nil {
		t.Errorf("Get after the delete of Python = %v, %v", ok, err)
	}
	if s.spread {
		return // its has and add use another key
	}
	added, err := c.Add(ctx, "lock", []byte("go"))
	if !added || err != nil {
		t.Errorf("Add = %v, %v", added, err)
	}
	app.want("False", `bool(cache.add("lock", "python"))`)
	app.want("True", `cache.has("lock")`)
	app.want("b'go'", `cache.get("lock")`)
	app.want("True", `bool(cache.add("lock2", "python"))`)
	if added, err := c.Add(ctx, "lock2", []byte("go")); added || err != nil {
		t.Errorf("Add over an entry of Python = %v, %v", added, err)
	}
}

func testFlaskCounters(t *testing.T, s flaskStore, c *cache.Cache, app *flaskApp) {
	ctx, count := t.Context(), cache.Of[int](c)
	inc := func(key string, delta int64, want int64) {
		t.Helper()
		if sum, err := c.Inc(ctx, key, delta); sum != want || err != nil {
			t.Errorf("Inc(%s) = %d, %v; want %d", key, sum, err, want)
		}
	}
	inc("n", 5, 5)
	app.want("5", `cache.get("n")`)
	must(t, count.Set(ctx, "set", 40))
	inc("set", 2, 42)
	app.want("42", `cache.get("set")`)
	if s.spread { // Flask's inc uses another key than its set and get
		app.want("True", `bool(cache.add("theirs", 1))`)
		inc("theirs", 2, 3)
		app.want("4", `store.inc("theirs", 1)`)
		if n, ok, err := count.Get(ctx, "theirs"); n != 4 || !ok || err != nil {
			t.Errorf("Get of a counter = %d, %v, %v", n, ok, err)
		}
		return
	}
	app.want("7", `store.inc("n", 2)`)
	app.want("6", `store.dec("n", 1)`)
	inc("n", 4, 10)
	app.want("10", `cache.get("n")`)
	if n, ok, err := count.Get(ctx, "n"); n != 10 || !ok || err != nil {
		t.Errorf("Get of a counter = %d, %v, %v", n, ok, err)
	}
	app.eval(`cache.set("theirs", 7)`)
	if n, ok, err := count.Get(ctx, "theirs"); n != 7 || !ok || err != nil {
		t.Errorf("Get of a number of Python = %d, %v, %v", n, ok, err)
	}
	sum, err := c.Inc(ctx, "theirs", 1)
	theirs := app.eval(`store.inc("theirs", 1)`)
	if strings.HasPrefix(theirs, "raised") { // cachelib before 0.15.4 pickles the number on redis
		if !errors.Is(err, cache.ErrNotInteger) {
			t.Errorf("Inc = %d, %v, and inc of Python %s", sum, err, theirs)
		}
	} else if sum != 8 || err != nil || theirs != "9" {
		t.Errorf("Inc = %d, %v, and then inc of Python %s", sum, err, theirs)
	}
}

func testFlaskViews(t *testing.T, c *cache.Cache, app *flaskApp) {
	ctx, text := t.Context(), cache.Of[string](c)
	app.want("'view 1'", `visit("/users/42")`)
	app.want("'search 1'", `visit("/search?b=2&a=1")`)
	for key, want := range map[string]string{
		flask.ViewKey("/users/42", nil):                                       "view 1",
		flask.ViewKey("/search", map[string][]string{"a": {"1"}, "b": {"2"}}): "search 1",
	} {
		if got, ok, err := text.Get(ctx, key); got != want || !ok || err != nil {
			t.Errorf("%s = %q, %v, %v; want %q", key, got, ok, err, want)
		}
	}
	must(t, text.Set(ctx, flask.ViewKey("/users/42", nil), "from Go"))
	app.want("'from Go'", `visit("/users/42")`)
	if forgotten, err := flask.ForgetView(ctx, c, "/users/42", nil); !forgotten || err != nil {
		t.Errorf("ForgetView = %v, %v", forgotten, err)
	}
	app.want("'view 2'", `visit("/users/42")`)

	app.want("{'id': 1, 'call': 1}", "get_user(1)")
	app.want("{'id': 1, 'call': 1}", "get_user(1)")
	key, ok, err := flask.MemoKey(ctx, c, "app.models.get_user", int64(1), nil)
	if !ok || err != nil {
		t.Fatalf("MemoKey = %v, %v", ok, err)
	}
	type user struct{ ID, Call int }
	if got, ok, err := cache.Of[user](c).Get(ctx, key); got != (user{1, 1}) || !ok || err != nil {
		t.Errorf("the result of a memoized function = %v, %v, %v", got, ok, err)
	}
	if forgotten, err := flask.Forget(ctx, c, "app.models.get_user"); !forgotten || err != nil {
		t.Errorf("Forget = %v, %v", forgotten, err)
	}
	app.want("{'id': 1, 'call': 2}", "get_user(1)")
	app.eval("cache.delete_memoized(get_user)")
	if key, ok, err := flask.MemoKey(ctx, c, "app.models.get_user", int64(1), nil); err != nil {
		t.Error(err)
	} else if ok {
		if _, ok, err := cache.Of[user](c).Get(ctx, key); ok || err != nil {
			t.Errorf("after delete_memoized: %v, %v", ok, err)
		}
	}
}

func testFlaskMethods(t *testing.T, c *cache.Cache, app *flaskApp) {
	app.want("[7, 3, 1]", "User(7).friends(3)")
	app.want("[7, 3, 1]", "User(7).friends(3)")
	if forgotten, err := flask.Forget(t.Context(), c, "app.models.User.friends"); !forgotten || err != nil {
		t.Errorf("Forget of a method = %v, %v", forgotten, err)
	}
	app.want("[7, 3, 2]", "User(7).friends(3)")
}

// Both find 300 entries of the other, also on several servers, and large values.
func testFlaskMany(t *testing.T, s flaskStore, c *cache.Cache, app *flaskApp) {
	ctx, texts := t.Context(), cache.Of[string](c)
	n := 300
	if s.spread {
		n = 30 // a value takes pylibmc a tenth of a second
	}
	app.eval(`[cache.set("m%%d" %% i, str(i)) for i in range(%d)] and None`, n)
	keys, ours := make([]string, n), map[string]string{}
	for i := range keys {
		keys[i] = fmt.Sprintf("m%d", i)
		ours[fmt.Sprintf("g%d", i)] = fmt.Sprint(i)
	}
	found, err := texts.GetMany(ctx, keys...)
	hits := 0
	for i, r := range found {
		if r.OK && r.Value == fmt.Sprint(i) {
			hits++
		}
	}
	if hits != n || err != nil {
		t.Errorf("Go finds %d of %d entries of Python, %v", hits, n, err)
	}
	must(t, texts.SetMany(ctx, ours))
	app.want(fmt.Sprint(n), `sum(cache.get("g%%d" %% i) == str(i) for i in range(%d))`, n)
	if s.native || s.small {
		return // the value is too large for one item
	}
	long := make([]byte, 0, 256*12000)
	for range 12000 {
		for i := range 256 {
			long = append(long, byte(i))
		}
	}
	app.want("[]", `write(["long"])`)
	if got, ok, err := c.Get(ctx, "py-long"); string(got) != string(long) || !ok || err != nil {
		t.Errorf("Go reads %d of %d bytes of Python, %v, %v", len(got), len(long), ok, err)
	}
	must(t, c.Set(ctx, "go-long", long))
	app.want("{}", `wrong(["long"])`)
	// A shorter value of either replaces a longer one of the other.
	app.eval(`cache.set("go-long", "short")`)
	must(t, texts.Set(ctx, "py-long", "short"))
	app.want("'short'", `cache.get("py-long")`)
	if got, ok, err := texts.Get(ctx, "go-long"); got != "short" || !ok || err != nil {
		t.Errorf("a shorter value of Python = %.20q, %v, %v", got, ok, err)
	}
	if deleted, err := c.Delete(ctx, "go-long"); !deleted || err != nil {
		t.Errorf("Delete = %v, %v", deleted, err)
	}
	app.want("None", `cache.get("go-long")`)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
