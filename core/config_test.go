package cache_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// shown holds settings that a backend of these tests declares.
type shown struct {
	Dir       string        `setting:"CACHE_DIR"`
	Threshold int           `setting:"CACHE_THRESHOLD"`
	Host      []string      `setting:"CACHE_SHOP_HOST"`
	Password  driver.Secret `setting:"CACHE_SHOP_PASSWORD"`
	PoolSize  int           `option:"pool_size"`
}

func init() {
	driver.Register(driver.Info{Types: []string{"shown"}, Settings: shown{}, Open: func(context.Context, *driver.Settings) (driver.Backend, error) {
		return newFake(), nil
	}})
}

// Rules CFG-6 and SEC-3 of the contract.
func TestConfigHidesSecrets(t *testing.T) {
	const secret = "hunter2"
	cfg := cache.FromMap(map[string]any{
		"CACHE_SHOP_HOST":       []any{"shop://user:" + secret + "@" + secret + "@db:6379/0", map[string]any{"host": "b", "password": secret}},
		"CACHE_SHOP_PASSWORD":   secret,
		"CACHE_SHOP_PASSWROD":   secret,
		"CACHE_MY_API_TOKEN":    []string{secret},
		"CACHE_OPTIONS":         `{"password": "` + secret + `", "pool_size": 3}`,
		"CACHE_MORE_OPTIONS":    map[string]any{"Secret": secret},
		"CACHE_LIST":            []map[string]any{{"passwd": secret}},
		"CACHE_CLIENT":          struct{ Hidden string }{secret},
		"CACHE_DEFAULT_TIMEOUT": 5 * time.Minute,
	})
	type holder struct {
		cfg     cache.Config
		pointer *cache.Config
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%t", "%f", "%c", "%p"} {
		text := fmt.Sprintf(verb, holder{cfg, &cfg})
		if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
			t.Errorf("%s of an unexported field: %s", verb, text)
		}
	}
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
		for _, shown := range []string{"CACHE_SHOP_HOST", "db:6379/0", "pool_size", "5m0s"} {
			if !strings.Contains(text, shown) {
				t.Errorf("%s does not show %s: %s", how, shown, text)
			}
		}
	}
}

// JSON has neither NaN nor infinities, which Open reports.
func TestConfigOfInvalidNumbersAsJSON(t *testing.T) {
	asJSON, err := json.Marshal(cache.FromMap(map[string]any{"CACHE_DEFAULT_TIMEOUT": math.NaN(), "CACHE_THRESHOLD": math.Inf(-1)}))
	if want := `{"CACHE_DEFAULT_TIMEOUT":"NaN","CACHE_THRESHOLD":"-Inf"}`; string(asJSON) != want || err != nil {
		t.Errorf("got %s, %v; want %s", asJSON, err, want)
	}
}

func TestFromEnv(t *testing.T) {
	cfg := cache.FromEnv([]string{"HOME=/root", "CACHE_DIR=/tmp/a=b", "CACHE_TYPE=", "MY_CACHE_DIR=x"})
	if got := fmt.Sprint(cfg); got != "CACHE_DIR=/tmp/a=b" {
		t.Errorf("got %s", got)
	}
}

// Variables that Kubernetes and Docker set for Services are not settings.
func TestFromEnvIgnoresServiceLinks(t *testing.T) {
	for _, entry := range []string{
		"CACHE_SHOP_SERVICE_HOST=10.96.0.11", "CACHE_SHOP_SERVICE_PORT=6379", "CACHE_SHOP_SERVICE_PORT_TCP_REDIS=6379", "CACHE_SHOP_PORT=tcp://10.96.0.11:6379",
		"CACHE_SHOP_PORT_6379_TCP=tcp://10.96.0.11:6379", "CACHE_SHOP_PORT_6379_TCP_PROTO=tcp", "CACHE_SHOP_PORT_6379_TCP_PORT=6379",
		"CACHE_SHOP_PORT_6379_TCP_ADDR=10.96.0.11", "CACHE_SERVICE_HOST=10.96.0.11", "CACHE_PORT=tcp://10.96.0.11:80",
	} {
		if got := fmt.Sprint(cache.FromEnv([]string{entry})); got != "" {
			t.Errorf("%s is taken as a setting", entry)
		}
	}
	if got := fmt.Sprint(cache.FromEnv([]string{"CACHE_SHOP_PORT=6379"})); got != "CACHE_SHOP_PORT=***" {
		t.Errorf("got %q; want the port that somebody has set", got)
	}
}

// The link of Docker sets the names of the containers, too, and the variables of the
// linked one. Without an address they are settings.
func TestFromEnvIgnoresContainerLinks(t *testing.T) {
	link := []string{"CACHE_SHOP_NAME=/web/cache_shop", "CACHE_SHOP_ENV_SHOP_VERSION=7", "CACHE_SHOP_ENV_HOME=/"}
	address := "CACHE_SHOP_PORT=tcp://10.0.0.2:6379"
	for _, address := range []string{address, "CACHE_SHOP_PORT_6379_TCP=tcp://10.0.0.2:6379"} {
		if got := fmt.Sprint(cache.FromEnv(append(link, address))); got != "" {
			t.Errorf("with %s: %s is taken as settings", address, got)
		}
	}
	if got := fmt.Sprint(cache.FromEnv(append(link, "CACHE_OTHER_PORT=tcp://10.0.0.2:1"))); strings.Count(got, "CACHE_SHOP_") != len(link) {
		t.Errorf("got %s; want what somebody has set", got)
	}
	for _, entry := range []string{"CACHE_SHOP_NAME=mycache@localhost:3031", "CACHE_SHOP_NAME=mycache@/run/a.sock", "CACHE_SHOP_ENVY=1"} {
		if got := fmt.Sprint(cache.FromEnv([]string{entry, address})); got == "" {
			t.Errorf("%s is ignored", entry)
		}
	}
}

func TestFromJSON(t *testing.T) {
	for _, tt := range []struct{ name, text, want, err string }{
		{"settings", `{"CACHE_THRESHOLD": 9007199254740993, "SECRET_KEY": "x", "CACHE_TYPE": null}`, "CACHE_THRESHOLD=9007199254740993", ""},
		{"syntax", `{"CACHE_TYPE": `, "", "reading the settings"},
		{"no object", `[]`, "", "reading the settings"},
		{"null", ` null `, "", "null, not a JSON object"},
		{"two objects", `{} {}`, "", "text after the first"},
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
		t.Error("Has does not report what is set")
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
