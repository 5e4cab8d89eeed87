package integration

import (
	_ "embed"
	"fmt"
	"maps"
	"math"
	"math/big"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/flask"
)

//go:embed testdata/flask_app.py
var flaskApp string

// flaskValues are those of testdata/flask_app.py.
var flaskValues = map[string]any{
	"none": nil, "true": true, "false": false, "int": int64(42), "negative": int64(-7), "largest": int64(math.MaxInt64),
	"larger": new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 100)), "float": 1.5,
	"str": "é\n😀", "empty": "", "digits": "42", "bytes": []byte("\x00\xff!"), "list": []any{int64(1), "a", nil, []any{2.5}}, "tuple": flask.Tuple{int64(1), flask.Tuple{int64(2)}, "b"},
	"dict": map[string]any{"id": int64(42), "name": "Ada", "tags": []any{"x"}, "born": flask.Date{Year: 1815, Month: 12, Day: 10}},
	"keys": flask.Dict{{Key: int64(1), Value: "one"}, {Key: flask.Tuple{int64(1), int64(2)}, Value: []byte("pair")}}, "set": flask.Set{int64(7)}, "frozenset": flask.Set{int64(8)},
	"datetime": time.Date(2026, 1, 31, 23, 59, 58, 123456000, flask.Naive), "aware": time.Date(2026, 7, 1, 12, 0, 0, 0, time.FixedZone("", 7200)),
	"date": flask.Date{Year: 2026, Month: 1, Day: 31}, "timedelta": -3*24*time.Hour + 7*time.Microsecond, "decimal": flask.Decimal("1.50"),
	"uuid": flask.UUID{0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78}, "large": strings.Repeat("x", 20_000),
}

func equalInPython(a, b any) bool {
	if x, ok := a.(time.Time); ok {
		y, ok := b.(time.Time)
		return ok && x.Equal(y) && (x.Location() == flask.Naive) == (y.Location() == flask.Naive)
	}
	return reflect.DeepEqual(a, b)
}

// flaskTest is a Flask application and a program in Go that share a cache.
type flaskTest struct {
	*testing.T
	app     *servers.Flask
	c       *cache.Cache
	skipped []string // values that the store cannot hold
	numbers bool     // the store keeps a bool as a number (pylibmc)
	uncount bool     // the backend has no Inc
}

// openFlask opens the cache of the settings of an application, with the switch.
func openFlask(t *testing.T, config map[string]any, more map[string]any) *cache.Cache {
	t.Helper()
	settings := maps.Clone(config)
	delete(settings, "SKIPPED")
	settings["CACHE_FLASK"] = true
	maps.Copy(settings, more)
	c, err := cache.Open(t.Context(), cache.FromMap(patient(settings)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// want calls expression in the application.
func (t *flaskTest) want(want, expression string, args ...any) {
	t.Helper()
	if got := t.app.Call(t.T, expression, args...); got != want {
		t.Errorf("%s is %s, want %s", fmt.Sprintf(expression, args...), got, want)
	}
}

func (t *flaskTest) run() {
	t.values()
	t.views()
	t.functions()
	t.deletes()
	if !t.uncount {
		t.counters()
	}
}

// values: both sides read what the other stores.
func (t *flaskTest) values() {
	t.want("[]", "set_all('py:')")
	all := cache.Of[any](t.c)
	for name, want := range flaskValues {
		if contains(t.skipped, name) {
			continue
		}
		got, ok, err := all.Get(t.Context(), "py:"+name)
		if n, isInt := got.(int64); isInt && t.numbers && (name == "true" || name == "false") {
			got = n == 1
		}
		if !ok || err != nil || !equalInPython(got, want) {
			t.Errorf("Python's %s is %#v, %v, %v in Go, want %#v", name, got, ok, err, want)
		}
		if err := all.Set(t.Context(), "go:"+name, want); err != nil {
			t.Errorf("Set of %s: %v", name, err)
		}
	}
	t.want("{}", "differences('go:')")

	type user struct {
		ID   int        `json:"id"`
		Name string     `json:"name"`
		Born flask.Date `json:"born"`
	}
	ada, ok, err := cache.Of[user](t.c).Get(t.Context(), "py:dict")
	if want := (user{42, "Ada", flask.Date{Year: 1815, Month: 12, Day: 10}}); ada != want || !ok || err != nil {
		t.Errorf("a dict is %+v, %v, %v as a struct", ada, ok, err)
	}
	text, ok, err := cache.Of[string](t.c).Get(t.Context(), "py:bytes")
	if text != "\x00\xff!" || !ok || err != nil {
		t.Errorf("bytes are %q, %v, %v as a string", text, ok, err)
	}
	raw, ok, err := t.c.Get(t.Context(), "py:str")
	if string(raw) != "é\n😀" || !ok || err != nil {
		t.Errorf("a str is %q, %v, %v as bytes", raw, ok, err)
	}
	if left, ok, err := t.c.TTL(t.Context(), "py:int"); err != nil || !ok || left < 900*time.Second || left > 1003*time.Second {
		t.Errorf("the TTL of Python's entry is %v, %v, %v", left, ok, err)
	}
	many, err := t.c.GetMany(t.Context(), "py:str", "py:absent", "py:int")
	if err != nil || string(many[0].Value) != "é\n😀" || many[1].OK || string(many[2].Value) != "42" {
		t.Errorf("GetMany: %+v, %v", many, err)
	}
	t.want("['é\\n😀', None, 42]", "cache.get_many('py:str', 'py:absent', 'py:int')")
}

// views: Go reads, forgets and replaces the cached pages.
func (t *flaskTest) views() {
	query := url.Values{"b": {"2"}, "a": {"1", "0"}}
	for path, view := range map[string]struct {
		path  string
		query url.Values
	}{"/users/ada": {"/users/ada", nil}, "/items?b=2&a=1&a=0": {"/items", query}, "/items": {"/items", url.Values{}}} {
		page := t.app.Get(t.T, path)
		got, ok, err := cache.Of[string](t.c).Get(t.Context(), flask.ViewKey(view.path, view.query))
		if got != page || !ok || err != nil {
			t.Errorf("the page of %s is %q, %v, %v in Go, want %q", path, got, ok, err, page)
		}
		if forgotten, err := flask.ForgetView(t.Context(), t.c, view.path, view.query); !forgotten || err != nil {
			t.Errorf("ForgetView(%s) = %v, %v", path, forgotten, err)
		}
		if again := t.app.Get(t.T, path); again == page {
			t.Errorf("%s is still cached", path)
		}
		if err := cache.Of[string](t.c).Set(t.Context(), flask.ViewKey(view.path, view.query), "by Go"); err != nil {
			t.Error(err)
		}
		if again := t.app.Get(t.T, path); again != "by Go" {
			t.Errorf("%s is %q, want the page of Go", path, again)
		}
	}
}

// functions: Go reads and forgets the results of memoized functions and methods.
func (t *flaskTest) functions() {
	module := strings.Trim(t.app.Call(t.T, "get_user.__module__"), "'")
	first := t.app.Call(t.T, "get_user(5)['run'], get_user(5, style='short')['run']")
	t.want(first, "get_user(5)['run'], get_user(5, style='short')['run']")
	key, ok, err := flask.MemoKey(t.Context(), t.c, module+".get_user", int64(5), "short")
	if !ok || err != nil {
		t.Fatalf("MemoKey = %q, %v, %v", key, ok, err)
	}
	result, ok, err := cache.Of[map[string]any](t.c).Get(t.Context(), key)
	if !ok || err != nil || result["style"] != "short" || result["id"] != int64(5) || !strings.Contains(first, fmt.Sprint(result["run"])) {
		t.Errorf("the result of get_user(5, 'short') is %v, %v, %v", result, ok, err)
	}
	if err := cache.Of[map[string]any](t.c).Set(t.Context(), key, map[string]any{"by": "Go"}); err != nil {
		t.Error(err)
	}
	t.want("{'by': 'Go'}", "get_user(5, 'short')")
	if forgotten, err := flask.Forget(t.Context(), t.c, module+".get_user"); !forgotten || err != nil {
		t.Errorf("Forget = %v, %v", forgotten, err)
	}
	if again := t.app.Call(t.T, "get_user(5)['run'], get_user(5, style='short')['run']"); again == first {
		t.Error("get_user is still memoized")
	}
	t.app.Call(t.T, "cache.delete_memoized(get_user)")
	if now, ok, err := flask.MemoKey(t.Context(), t.c, module+".get_user", int64(5), "short"); ok && now == key || err != nil {
		t.Errorf("MemoKey after delete_memoized = %q, %v, %v", now, ok, err)
	}

	method := t.app.Call(t.T, "User(7).friends(3)")
	t.want(method, "User(7).friends(3)")
	if forgotten, err := flask.Forget(t.Context(), t.c, module+".User.friends"); !forgotten || err != nil {
		t.Errorf("Forget of a method = %v, %v", forgotten, err)
	}
	if again := t.app.Call(t.T, "User(7).friends(3)"); again == method {
		t.Error("a method is still memoized")
	}
}

// deletes: either side sees what the other removes, adds and lets expire.
func (t *flaskTest) deletes() {
	if deleted, err := t.c.Delete(t.Context(), "py:str"); !deleted || err != nil {
		t.Errorf("Delete = %v, %v", deleted, err)
	}
	t.want("(None, False)", "cache.get('py:str'), bool(cache.has('py:str'))")
	t.want("True", "bool(cache.delete('go:str'))")
	if ok, err := t.c.Has(t.Context(), "go:str"); ok || err != nil {
		t.Errorf("Has = %v, %v", ok, err)
	}
	if added, err := cache.Of[string](t.c).Add(t.Context(), "lock", "go"); !added || err != nil {
		t.Errorf("Add = %v, %v", added, err)
	}
	t.want("(False, 'go')", "bool(cache.add('lock', 'python')), cache.get('lock')")
	t.want("True", "bool(cache.delete('lock')) and bool(cache.add('lock', 'python'))")
	if added, err := cache.Of[string](t.c).Add(t.Context(), "lock", "go"); added || err != nil {
		t.Errorf("Add of a key of Python = %v, %v", added, err)
	}
}

func (t *flaskTest) counters() {
	if sum, err := t.c.Inc(t.Context(), "n", 5, cache.Timeout(time.Hour)); sum != 5 || err != nil {
		t.Errorf("Inc = %d, %v", sum, err)
	}
	t.want("7", "cache.cache.inc('n', 2)")
	t.want("6", "cache.cache.dec('n', 1)")
	if sum, err := t.c.Inc(t.Context(), "n", 4); sum != 10 || err != nil {
		t.Errorf("Inc after Python's = %d, %v", sum, err)
	}
	t.want("10", "int(cache.get('n'))")
	if n, ok, err := cache.Of[int](t.c).Get(t.Context(), "n"); n != 10 || !ok || err != nil {
		t.Errorf("n = %d, %v, %v", n, ok, err)
	}
}

func contains(list []string, name string) bool {
	return strings.Contains("\x00"+strings.Join(list, "\x00")+"\x00", "\x00"+name+"\x00")
}

func startFlask(t *testing.T, config map[string]any, dirs ...string) *flaskTest {
	t.Helper()
	return &flaskTest{T: t, app: servers.StartFlask(t, flaskApp, config, dirs...), c: openFlask(t, config, nil)}
}

func TestFlaskOnRedis(t *testing.T) {
	busy(t)
	server := servers.StartRedis(t, "")
	startFlask(t, map[string]any{"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": "redis://" + server.Addrs[0] + "/0"}).run()
}

func TestFlaskOnFilesystem(t *testing.T) {
	busy(t)
	dir, err := os.MkdirTemp("", "flask")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil { // Python may be another user
		t.Fatal(err)
	}
	config := map[string]any{"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": dir, "CACHE_THRESHOLD": 500, "CACHE_KEY_PREFIX": "ignored", "CACHE_OPTIONS": map[string]any{"mode": 0o666}}
	startFlask(t, config, dir).run()
}

func TestFlaskOnMemcached(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 3, "")
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprint(n, " servers"), func(t *testing.T) {
			f := startFlask(t, map[string]any{"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": server.Addrs[:n], "CACHE_KEY_PREFIX": fmt.Sprint("n", n, ":")})
			f.numbers = true
			f.run()
			if n == 3 {
				f.placement()
			}
		})
	}
}

// placement: each side finds all keys of the other.
func (t *flaskTest) placement() {
	const keys = 300
	t.want("[]", "[i for i in range(%d) if not cache.set(f'key {i}'.replace(' ', '_'), i)]", keys)
	found := 0
	for i := range keys {
		if n, ok, err := cache.Of[int](t.c).Get(t.Context(), fmt.Sprint("key_", i)); ok && err == nil && n == i {
			found++
		}
		if err := cache.Of[int](t.c).Set(t.Context(), fmt.Sprint("go_", i), i); err != nil {
			t.Fatal(err)
		}
	}
	if found != keys {
		t.Errorf("Go finds %d of %d keys", found, keys)
	}
	t.want(fmt.Sprint(keys), "sum(cache.get(f'go_{i}') == i for i in range(%d))", keys)
}

func TestFlaskOnMemcachedSASL(t *testing.T) {
	busy(t)
	server := servers.StartMemcachedSASL(t, "app", "hunter2", "")
	for _, class := range []string{"SASLMemcachedCache", "SpreadSASLMemcachedCache"} {
		t.Run(class, func(t *testing.T) {
			f := startFlask(t, map[string]any{
				"CACHE_TYPE": class, "CACHE_MEMCACHED_SERVERS": server.Addrs, "CACHE_KEY_PREFIX": class,
				"CACHE_MEMCACHED_USERNAME": "app", "CACHE_MEMCACHED_PASSWORD": "hunter2",
			})
			f.numbers = true
			f.run()
		})
	}
}

func TestFlaskOnUWSGI(t *testing.T) {
	busy(t)
	// --wsgi-file runs the program in the workers, which have the cache.
	config := map[string]any{"CACHE_TYPE": "flask_caching.contrib.uwsgicache.UWSGICache", "CACHE_UWSGI_NAME": "first", "SKIPPED": []string{"large"}}
	server := servers.StartUwsgi(t, servers.WithConfig(t, flaskApp, config))
	servers.NeedsFlask(t, server.Machine)
	f := &flaskTest{T: t, app: &servers.Flask{Machine: server.Machine, URL: server.URL}, skipped: []string{"large"}, uncount: true}
	f.c = openFlask(t, config, map[string]any{"CACHE_UWSGI_NAME": "first@" + server.Addr, "CACHE_OPTIONS": map[string]any{"max_value": servers.UwsgiBlockSize}})
	f.run()
}
