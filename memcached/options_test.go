package memcached

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"
)

func TestMistakes(t *testing.T) {
	for want, o := range map[string]Options{
		"Selector takes the place": {Selector: new(memcache.ServerList), Servers: []string{"h:1"}},
		"Selector takes":           {Selector: new(memcache.ServerList), Distribution: Ketama},
		"Protocol: 7":              {Protocol: 7},
		"Distribution: there is":   {Distribution: 7},
		"Password: of no use":      {Password: secret},
		"Username: text login":     {Username: "a b"},
		"Password: text login":     {Username: "a", Password: secret + "\r\n"},
		"a zero byte":              {Username: "a", Password: secret + "\x00", Protocol: Binary},
		"of no use without Spread": {ChunkSize: 1},
		"is more than 9999":        {Spread: true, MaxChunks: 10000},
		"more than an item holds":  {Spread: true, ChunkSize: 1 << 20},
		"MaxItemSize: 1023":        {MaxItemSize: 1023},
		"MaxItemSize: 2147483648":  {MaxItemSize: 1 << 31},
		"PoolSize: -1":             {PoolSize: -1},
		"ReadTimeout: -1ns":        {ReadTimeout: -1},
		`"h" is not host:port`:     {Servers: []string{"h"}},
		"not host:port but a URL":  {Servers: []string{"u:" + secret + "@h"}},
	} {
		_, err := New(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q", o, err, want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the password is shown: %v", err)
		}
	}
	_, err := New(t.Context(), Options{PoolSize: -1, MaxItemSize: 1})
	if err == nil || !strings.Contains(err.Error(), "PoolSize") || !strings.Contains(err.Error(), "MaxItemSize") {
		t.Errorf("want all mistakes at once, not %v", err)
	}
}

func TestOptionsShowNoSecret(t *testing.T) {
	o := Options{Servers: []string{"a:1", "b:2"}, Username: "u", Password: secret}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("", "o", o)
	encoded, err := json.Marshal(o)
	must(t, err)
	for _, text := range []string{
		o.String(), fmt.Sprint(o), fmt.Sprintf("%v %+v %#v %s %q %d %x", o, &o, o, o, o, o, o), logged.String(), string(encoded),
	} {
		if strings.Contains(text, secret) || !strings.Contains(text, "a:1,b:2") {
			t.Errorf("printed as %s", text)
		}
	}
	for want, o := range map[string]Options{"memcached 127.0.0.1:11211": {}, "memcached by selector": {Selector: new(memcache.ServerList)}} {
		if o.String() != want {
			t.Errorf("printed as %q; want %q", o, want)
		}
	}
}

// Nor does a backend, however deep one looks.
func TestBackendShowsNoSecret(t *testing.T) {
	b := start(t, Options{Servers: []string{"127.0.0.1:1"}, Username: "u", Password: secret})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, b); strings.Contains(text, secret) {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}
