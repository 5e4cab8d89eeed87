package redis

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

const secret = "s3cr:et/+#"

func TestParseURL(t *testing.T) {
	for text, want := range map[string]server{
		"redis://":                              {addr: "localhost:6379"},
		"redis://h":                             {addr: "h:6379"},
		"redis://h:1/2":                         {addr: "h:1", db: 2},
		"redis://h:1/2/":                        {addr: "h:1", db: 2},
		"redis://u@h?db=3":                      {addr: "h:6379", username: "u", db: 3},
		"redis://u:p@h":                         {addr: "h:6379", username: "u", password: "p"},
		"redis://:s3cr%3Aet%2F%2B%23@h":         {addr: "h:6379", password: secret},
		"redis://[::1]:7":                       {addr: "[::1]:7"},
		"redis://[::1]":                         {addr: "[::1]:6379"},
		"rediss://h":                            {addr: "h:6379", tls: true},
		"unix:///run/redis.sock":                {addr: "/run/redis.sock"},
		"unix://u:p@/run/redis.sock?db=4":       {addr: "/run/redis.sock", username: "u", password: "p", db: 4},
		"redis://u:pass%40word@h.example.com/0": {addr: "h.example.com:6379", username: "u", password: "pass@word"},
	} {
		if got, err := parseURL(text); got != want || err != nil {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "does not begin with",
		"localhost:6379":              "does not begin with",
		"http://u:hidden@h":           "does not begin with",
		"redis://u:hid den@h":         "cannot be parsed",
		"redis://u:hidden%zz@h":       "cannot be parsed",
		"redis://u:hidden/word@h":     "cannot be parsed",
		"redis://u:hidden@h:port":     "cannot be parsed",
		"redis://u:hidden@h/zero":     "not a number",
		"redis://u:hidden@h/-1":       "not a number",
		"redis://u:1/hidden@h":        "not a number",
		"redis://h?hidden=x":          "parameter",
		"redis://u:hid?den=1@h":       "cannot be parsed",
		"redis://u:hidden@h:0":        "between 1 and 65535",
		"redis://u:hidden@h:70000":    "between 1 and 65535",
		"redis://u:pass@h/1?db=2":     "twice",
		`"redis://u:hidden@h"`:        "quote",
		"redis://u:hidden@h ":         "blank",
		"redis://h?db=1&db=2":         "twice",
		"unix:///r.sock?db=1&db=2":    "twice",
		"redis://h?db=1;hidden=2":     "parameter",
		"redis://h?db=1&hid%den=2":    "parameter",
		"redis://u:pass@h/+1":         "not a number",
		"redis://u:pass@h/1#hidden":   "%23",
		"redis://hidden#word@h":       "%23",
		"redis:hidden":                "does not begin with",
		"unix://u:hidden@host/r.sock": "is not unix:///",
		"unix://":                     "is not unix:///",
	} {
		_, err := parseURL(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hid") {
			t.Errorf("%s: the password is in %v", text, err)
		}
	}
}

func TestInvalidOptions(t *testing.T) {
	password := driver.NewSecret(secret)
	for _, tt := range []struct {
		options Options
		want    string
	}{
		{Options{URL: driver.NewSecret("redis://h"), Password: password}, "CACHE_REDIS_URL (Options.URL): cannot be combined with CACHE_REDIS_PASSWORD (Options.Password)"},
		{Options{URL: driver.NewSecret("h:6379")}, "Options.URL): does not begin with"},
		{Options{Addr: "h:1", Cluster: []string{"h:1"}}, "CACHE_REDIS_CLUSTER (Options.Cluster): cannot be combined with CACHE_REDIS_HOST (Options.Addr)"},
		{Options{Addr: "h:1", Sentinels: []string{"h:1"}}, "Options.Sentinels): cannot be combined with"},
		{Options{Cluster: []string{"h:1"}, Sentinels: []string{"h:1"}}, "cannot be combined with CACHE_REDIS_SENTINELS"},
		{Options{SentinelMaster: "m"}, "CACHE_REDIS_SENTINEL_MASTER (Options.SentinelMaster): has no effect without CACHE_REDIS_SENTINELS"},
		{Options{SentinelPassword: password}, "has no effect without CACHE_REDIS_SENTINELS (Options.Sentinels)"},
		{Options{Cluster: []string{"h:1"}, DB: 1}, "CACHE_REDIS_DB (Options.DB): a cluster has no database 1, only 0"},
		{Options{DB: -1}, "CACHE_REDIS_DB (Options.DB): -1 is too small: at least 0"},
		{Options{ReadFromReplicas: true}, "CACHE_OPTIONS.read_from_replicas (Options.ReadFromReplicas): has no effect without"},
		{Options{PoolSize: -1}, "CACHE_OPTIONS.pool_size (Options.PoolSize): -1 is too small: at least 1"},
		{Options{ReadTimeout: -time.Second}, "-1s is too small: at least 1ms"},
		{Options{Addr: "h"}, `CACHE_REDIS_HOST (Options.Addr): "h" is not host:port`},
		{Options{Addr: "h:x"}, `"h:x" is not host:port`},
		{Options{Addr: "h:70000"}, "the port is not between 1 and 65535"},
		{Options{Addr: "redis://:" + secret + "@h"}, "a URL, not host:port"},
		{Options{Cluster: []string{"h:1", ""}}, `CACHE_REDIS_CLUSTER (Options.Cluster): "" is not host:port`},
	} {
		_, err := New(t.Context(), tt.options)
		if !errors.Is(err, driver.ErrInvalidSettings) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v; want %q", err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the password is in %v", err)
		}
	}
	_, err := New(t.Context(), Options{PoolSize: -1, DB: -1, URL: driver.NewSecret("x")})
	if n := strings.Count(err.Error(), "Options."); n != 5 { // URL cannot be combined with DB
		t.Errorf("%d fields are named; want 5: %v", n, err)
	}
}

// Neither options nor a backend show a password, under any verb.
func TestSecretIsNotShown(t *testing.T) {
	password := driver.NewSecret(secret)
	for name, o := range map[string]Options{
		"one":       {Addr: "127.0.0.1:1", Password: password},
		"URL":       {URL: driver.NewSecret("redis://:s3cr%3Aet%2F%2B%23@127.0.0.1:1")},
		"cluster":   {Cluster: []string{"127.0.0.1:1"}, Password: password},
		"sentinels": {Sentinels: []string{"127.0.0.1:1"}, SentinelPassword: password},
	} {
		var logged strings.Builder
		slog.New(slog.NewTextHandler(&logged, nil)).Info("", "o", o)
		texts := []string{logged.String()}
		for _, value := range []any{o, &o, start(t, o)} {
			encoded, _ := json.Marshal(value)
			texts = append(texts, string(encoded))
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
				texts = append(texts, fmt.Sprintf(verb, value))
			}
		}
		for _, text := range texts {
			if strings.Contains(text, secret) || strings.Contains(text, "s3cr%3A") || strings.Contains(text, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s: printed as %s", name, text)
			}
		}
	}
}

func TestDriverSettings(t *testing.T) {
	one := start(t, Options{}).one.Options()
	if one.Addr != "localhost:6379" || one.DialTimeout != 5*time.Second || one.PoolTimeout != 4*time.Second || !one.ContextTimeoutEnabled || one.MaxRetries != 0 || one.DialerRetries != 1 {
		t.Errorf("%s, timeouts %v, %v, contexts %v, %d retries, %d dials", one.Addr, one.DialTimeout, one.PoolTimeout, one.ContextTimeoutEnabled, one.MaxRetries, one.DialerRetries)
	}
	cluster := start(t, Options{Cluster: []string{"h:1"}}).cluster.Options()
	if cluster.ClusterStateReloadInterval != time.Second || cluster.ReadOnly {
		t.Errorf("reload every %v, replicas %v", cluster.ClusterStateReloadInterval, cluster.ReadOnly)
	}
	replicas := start(t, Options{Sentinels: []string{"h:1"}, ReadFromReplicas: true})
	if replicas.cluster == nil || !replicas.cluster.Options().ReadOnly {
		t.Error("reads of sentinels do not go to replicas")
	}
}

func TestNewFromClient(t *testing.T) {
	one, cluster := goredis.NewClient(&goredis.Options{}), goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{"h:1"}})
	ring := goredis.NewRing(&goredis.RingOptions{})
	t.Cleanup(func() { one.Close(); cluster.Close(); ring.Close() })
	for name, tt := range map[string]struct {
		client goredis.UniversalClient
		o      Options
		ok     bool
	}{
		"one":           {one, Options{AllowFlush: true, NoAutoPipeline: true}, true},
		"cluster":       {cluster, Options{}, true},
		"ring":          {ring, Options{}, false},
		"nil":           {nil, Options{}, false},
		"nil client":    {(*goredis.Client)(nil), Options{}, false},
		"with settings": {one, Options{Password: driver.NewSecret(secret)}, false},
	} {
		if _, err := NewFromClient(tt.client, tt.o); (err == nil) != tt.ok || !tt.ok && !errors.Is(err, driver.ErrInvalidSettings) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
