package redis

import (
	"errors"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

// Rule BAS-16 of the contract: a null that is not the reply to GET itself is a failure.
func TestNullIsNoMiss(t *testing.T) {
	const null, nullList = "$-1\r\n", "*-1\r\n"
	onCluster := func(reply string) *fake { return startFake(t, on("cluster", always(reply))) }
	for name, b := range map[string]*Backend{
		"map of the cluster":           start(t, Options{Cluster: []string{onCluster(nullList).addr}, AllowFlush: true}),
		"map of the cluster, a string": start(t, Options{Cluster: []string{onCluster(null).addr}, AllowFlush: true}),
		"map of a borrowed cluster": borrow(t, goredis.NewClusterClient(
			&goredis.ClusterOptions{Addrs: []string{onCluster(nullList).addr}, MaxRedirects: -1, MaxRetries: -1})),
		"name of the primary": start(t, Options{
			Sentinels: []string{startFake(t, on("sentinel", always(nullList))).addr}, AllowFlush: true}),
		"name of the primary, with replicas": start(t, Options{
			Sentinels: []string{startFake(t, on("sentinel", always(nullList))).addr}, ReadFromReplicas: true, AllowFlush: true}),
		"name of the primary, in a borrowed client": borrow(t, goredis.NewFailoverClient(
			&goredis.FailoverOptions{SentinelAddrs: []string{startFake(t, on("sentinel", always(nullList))).addr}, MasterName: "mymaster", MaxRetries: -1, DialerRetries: 1})),
		"selection of the database": start(t, Options{Addr: startFake(t, on("select", always(null))).addr, DB: 1, AllowFlush: true}),
		"selection, in a borrowed client": borrow(t, goredis.NewClient(
			&goredis.Options{Addr: startFake(t, on("select", always(null))).addr, DB: 1})),
		"login": start(t, Options{Addr: startFake(t, on("auth", always(null))).addr, Password: cache.Secret("sesame"), AllowFlush: true}),
	} {
		t.Run(name, func(t *testing.T) {
			for _, shared := range []int{0, -1} {
				if b.pipeline != nil {
					b.pipeline.MaxAlone = shared
				}
				for _, v := range verbs {
					err := v.call(soon(t, ample), b)
					if !errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrUnknownOutcome) {
						t.Errorf("%s: %v; want ErrUnavailable, because nothing was sent", v.name, err)
					}
					if strings.Contains(name, "primary") && err != nil && !strings.Contains(err.Error(), "CACHE_REDIS_SENTINEL_MASTER") {
						t.Errorf("%s: %v; want the setting", v.name, err)
					}
				}
			}
		})
	}
}

// A null in place of another reply is not a miss either, and not a success.
func TestNullReply(t *testing.T) {
	for _, v := range verbs {
		if v.command == "get" || v.name == "Add" || v.name == "Ping" {
			continue
		}
		b := start(t, Options{Addr: startFake(t, on(v.command, always("$-1\r\n"))).addr, AllowFlush: true})
		want := cache.ErrUnavailable
		if v.write {
			want = cache.ErrUnknownOutcome
		}
		if err := v.call(soon(t, ample), b); !errors.Is(err, want) {
			t.Errorf("%s: %v; want %v", v.name, err, want)
		}
	}
}

func TestNullIsMiss(t *testing.T) {
	f := startFake(t, on("get", always("$-1\r\n")))
	for _, shared := range []int{0, -1} {
		b := start(t, Options{Addr: f.addr})
		b.pipeline.MaxAlone = shared
		if value, ok, err := b.Get(t.Context(), "k"); value != nil || ok || err != nil {
			t.Errorf("Get = %q, %v, %v; want a miss", value, ok, err)
		}
	}
}

// borrow returns a Backend over a client, which it closes at the end of the test.
func borrow(t *testing.T, client goredis.UniversalClient) *Backend {
	t.Helper()
	t.Cleanup(func() { client.Close() })
	b, err := NewFromClient(client, Options{AllowFlush: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
