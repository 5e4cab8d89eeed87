package integration

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	"github.com/cachebackends/cachebackends/uwsgi"
)

// wsgi is an application that calls the cache functions of uWSGI workers, for
// example /set?cache=first&key=k&life=60 with the value in the body.
const wsgi = `
import uwsgi
from urllib.parse import parse_qsl

def application(environ, start_response):
    q = dict(parse_qsl(environ["QUERY_STRING"], encoding="latin-1"))
    value = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    key, cache = q["key"], q["cache"]
    command = environ["PATH_INFO"][1:]
    if command == "get":
        value = uwsgi.cache_get(key, cache)
        start_response("404 Not Found" if value is None else "200 OK", [])
        return [value or b""]
    if command == "del":
        done = uwsgi.cache_del(key, cache)
    else:
        done = {"set": uwsgi.cache_set, "update": uwsgi.cache_update}[command](key, value, int(q["life"]), cache)
    start_response("200 OK" if done else "409 Conflict", [])
    return []
`

// worker calls the Python program of a server for one of its caches.
type worker struct {
	t          *testing.T
	url, cache string
}

func (w worker) call(command, key, value, life string) (status int, body string) {
	w.t.Helper()
	query := url.Values{"cache": {w.cache}, "key": {key}, "life": {life}}
	answer, err := http.Post(w.url+"/"+command+"?"+query.Encode(), "application/octet-stream", strings.NewReader(value))
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, string(data)
}

// Values are shared with Python workers byte for byte, in both directions.
func TestUWSGISharedWithPython(t *testing.T) {
	busy(t)
	server := servers.StartUwsgi(t, wsgi)
	b, err := uwsgi.New(t.Context(), uwsgi.Options{Addr: server.Socket, Cache: "second", MaxValue: servers.UwsgiBlockSize})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	w, ctx := worker{t, server.URL, "second"}, t.Context()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, value := range []string{"text", "\x80\x04\x95pickle.", string(all), "\r\n", strings.Repeat("v", servers.UwsgiBlockSize)} {
		if status, _ := w.call("update", "theirs", value, "60"); status != http.StatusOK {
			t.Fatalf("the worker could not store %.20q: %d", value, status)
		}
		if got, ok, err := b.Get(ctx, "theirs"); err != nil || !ok || string(got) != value {
			t.Errorf("the worker stored %.20q, Get = %.20q, %v, %v", value, got, ok, err)
		}
		if left, ok, err := b.TTL(ctx, "theirs"); err != nil || !ok || left < 58*time.Second || left > 61*time.Second {
			t.Errorf("the worker gave it 60 s, TTL = %v, %v, %v", left, ok, err)
		}
		if err := b.Set(ctx, "ours", []byte(value), time.Hour); err != nil {
			t.Fatal(err)
		}
		if status, got := w.call("get", "ours", "", ""); status != http.StatusOK || got != value {
			t.Errorf("Set of %.20q, the worker reads %.20q, %d", value, got, status)
		}
	}

	// Both sides use the same keys, also for locks.
	if added, err := b.Add(ctx, "lock", []byte("go"), time.Hour); !added || err != nil {
		t.Fatalf("Add = %v, %v", added, err)
	}
	if status, _ := w.call("set", "lock", "python", "60"); status != http.StatusConflict {
		t.Errorf("cache_set of a key that Add stored: %d", status)
	}
	if status, _ := w.call("del", "lock", "", ""); status != http.StatusOK {
		t.Errorf("cache_del of a key that Add stored: %d", status)
	}
	if status, _ := w.call("set", "lock", "python", "0"); status != http.StatusOK {
		t.Errorf("cache_set after cache_del: %d", status)
	}
	if added, err := b.Add(ctx, "lock", []byte("go"), time.Hour); added || err != nil {
		t.Errorf("Add of a key that cache_set stored = %v, %v", added, err)
	}
	if left, ok, err := b.TTL(ctx, "lock"); left != 0 || !ok || err != nil {
		t.Errorf("TTL of an entry that never expires = %v, %v, %v", left, ok, err)
	}

	// The encoding of an empty value is documented.
	if err := b.Set(ctx, "empty", nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, got := w.call("get", "empty", "", ""); got != "\x00" {
		t.Errorf("the worker reads an empty value as %q", got)
	}
}
