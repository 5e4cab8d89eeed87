package cache_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

func TestConfigHidesSecrets(t *testing.T) {
	const secret = "hunter2"
	cfg := cache.FromMap(map[string]any{
		"CACHE_REDIS_HOST":              "db",
		"CACHE_REDIS_PASSWORD":          secret,
		"CACHE_REDIS_SENTINEL_PASSWORD": secret,
		"CACHE_MY_API_TOKEN":            []string{secret},
		"CACHE_REDIS_URL":               "redis://user:" + secret + "@" + secret + "@db:6379/0",
		"CACHE_REDIS_CLUSTER":           []any{"redis://:" + secret + "@a", map[string]any{"host": "b", "password": secret}},
		"CACHE_REDIS_SENTINELS":         []string{"redis://:" + secret + "@a"},
		"CACHE_OPTIONS":                 `{"password": "` + secret + `", "pool_size": 3}`,
		"CACHE_MORE_OPTIONS":            map[string]any{"Secret": secret},
		"CACHE_LIST":                    []map[string]any{{"passwd": secret}},
		"CACHE_CLIENT":                  struct{ Hidden string }{secret},
		"CACHE_DEFAULT_TIMEOUT":         5 * time.Minute,
	})
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "cfg", cfg)
	asJSON, err := json.Marshal(cfg)
	must(t, err)
	for how, text := range map[string]string{
		"%v": fmt.Sprintf("%v", cfg), "%+v": fmt.Sprintf("%+v", cfg), "%#v": fmt.Sprintf("%#v", cfg),
		"%s": fmt.Sprintf("%s", cfg), "%d": fmt.Sprintf("%d", cfg), "pointer": fmt.Sprint(&cfg),
		"slog": log.String(), "JSON": string(asJSON),
	} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows a secret: %s", how, text)
		}
		for _, shown := range []string{"CACHE_REDIS_HOST", "db:6379/0", "pool_size", "5m0s"} {
			if !strings.Contains(text, shown) {
				t.Errorf("%s does not show %s: %s", how, shown, text)
			}
		}
	}
}

func TestFromEnv(t *testing.T) {
	cfg := cache.FromEnv([]string{"HOME=/root", "CACHE_DIR=/tmp/a=b", "CACHE_TYPE=", "MY_CACHE_DIR=x"})
	if got := fmt.Sprint(cfg); got != "CACHE_DIR=/tmp/a=b" {
		t.Errorf("got %s", got)
	}
}

func TestFromJSON(t *testing.T) {
	for _, tt := range []struct{ name, text, want, err string }{
		{"settings", `{"CACHE_THRESHOLD": 9007199254740993, "SECRET_KEY": "x", "CACHE_TYPE": null}`, "CACHE_THRESHOLD=9007199254740993", ""},
		{"syntax", `{"CACHE_TYPE": `, "", "reading the settings"},
		{"no object", `[]`, "", "reading the settings"},
		{"two objects", `{} {}`, "", "more after the first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := cache.FromJSON(strings.NewReader(tt.text))
			if got := fmt.Sprint(cfg); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if (tt.err == "") != (cfg.Err() == nil) {
				t.Errorf("error %v", cfg.Err())
			}
			if _, err := cache.Open(t.Context(), cfg); tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("Open: %v; want %q", err, tt.err)
			}
		})
	}
}

func TestOverride(t *testing.T) {
	base := cache.FromMap(map[string]any{"CACHE_TYPE": "a", "CACHE_DIR": "d"})
	if !base.Has("CACHE_DIR") || base.Has("CACHE_KEY_PREFIX") {
		t.Error("Has does not tell what is set")
	}
	over := base.Override(cache.FromMap(map[string]any{"CACHE_TYPE": "b"}))
	if got := fmt.Sprint(over); got != "CACHE_DIR=d CACHE_TYPE=b" {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint(base); got != "CACHE_DIR=d CACHE_TYPE=a" {
		t.Errorf("the original became %s", got)
	}
	if got := fmt.Sprint(cache.Config{}.Override(base)); got != fmt.Sprint(base) {
		t.Errorf("over nothing: %s", got)
	}
}
