package redis

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

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
		"unix://u:hidden@host/r.sock": "is not unix:///",
		"unix://":                     "is not unix:///",
	} {
		_, err := parseURL(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hid") {
			t.Errorf("%s: the password is shown: %v", text, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for want, o := range map[string]Options{
		"URL takes the place":              {URL: "redis://h", Password: secret},
		"URL: does not begin":              {URL: "h:6379"},
		"name one server":                  {Addr: "h:1", Cluster: []string{"h:1"}},
		"exclude each other":               {Cluster: []string{"h:1"}, Sentinels: []string{"h:1"}},
		"Sentinels is missing":             {SentinelPassword: secret},
		"DB: a cluster":                    {Cluster: []string{"h:1"}, DB: 1},
		"DB: -1 is negative":               {DB: -1},
		"ReadFromReplicas needs":           {ReadFromReplicas: true},
		"ClientSideCache needs one server": {Cluster: []string{"h:1"}, ClientSideCache: 1},
		"ClientSideCache needs DB 0":       {URL: "redis://h/1", ClientSideCache: 1},
		"PoolSize: -1 is negative":         {PoolSize: -1},
		"ReadTimeout: -1s is negative":     {ReadTimeout: -time.Second},
		`Addr: "h" is not host:port`:       {Addr: "h"},
		`Addr: "h:x" is not host:port`:     {Addr: "h:x"},
		"Addr: not host:port but a URL":    {Addr: "redis://:" + secret + "@h"},
		`Cluster: "" is not host:port`:     {Cluster: []string{"h:1", ""}},
	} {
		_, err := New(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the password is shown: %v", err)
		}
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := New(t.Context(), Options{PoolSize: -1, DB: -1, URL: "x"})
	if n := strings.Count(err.Error(), "\n") + 1; n != 4 {
		t.Errorf("%d of 4 mistakes:\n%v", n, err)
	}
}

func TestNoSecretIsPrinted(t *testing.T) {
	for name, o := range map[string]Options{
		"one":       {Addr: "h:1", Username: secret, Password: secret},
		"URL":       {URL: "redis://:hidden@h:1"},
		"bad URL":   {URL: "hidden"},
		"cluster":   {Cluster: []string{"h:1", "h:2"}, Password: secret},
		"sentinels": {Sentinels: []string{"h:1"}, SentinelPassword: secret},
	} {
		js, _ := json.Marshal(o)
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("opened", "options", o)
		all := fmt.Sprintf("%v %+v %#v %s %q %d %v", o, o, o, o, o, o, &o) + string(js) + log.String()
		if strings.Contains(all, secret) || strings.Contains(all, "hidden") {
			t.Errorf("%s: %s", name, all)
		}
		if name != "bad URL" && strings.Count(all, "h:1") < 8 {
			t.Errorf("%s: does not say where: %s", name, all)
		}
	}
}

func TestDriverSettings(t *testing.T) {
	driver := start(t, Options{}).one.Options()
	if driver.Addr != defaultAddr || driver.ReadTimeout != 3*time.Second || !driver.ContextTimeoutEnabled ||
		driver.MaxRetries != 0 || driver.DialerRetries != 1 {
		t.Errorf("%s, read timeout %v, contexts %v, %d retries, %d dials", driver.Addr, driver.ReadTimeout,
			driver.ContextTimeoutEnabled, driver.MaxRetries, driver.DialerRetries)
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
		"with settings": {one, Options{Password: secret}, false},
	} {
		if _, err := NewFromClient(tt.client, tt.o); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		1: 1, 500 * time.Microsecond: 1, time.Millisecond: 1, time.Millisecond + 1: 2,
		1500 * time.Millisecond: 1500, 1<<63 - 1: 9223372036855,
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("%v: %d; want %d", d, got, want)
		}
	}
}
