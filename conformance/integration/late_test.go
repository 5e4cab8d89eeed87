package integration

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached"
	"github.com/cachebackends/cachebackends/redis"
)

// A connection breaks, and the server receives the request that was sent on it after a later
// Delete. If the call has returned without an error, the key stays absent: the request must
// not have been sent a second time.
func TestLateRequests(t *testing.T) {
	busy(t)
	for name, open := range map[string]func(t *testing.T, through func(addr string) string) cache.Backend{
		"redis": func(t *testing.T, through func(string) string) cache.Backend {
			return openRedis(t, redis.Options{Addr: through(servers.StartRedis(t, "").Addrs[0])}).Backend()
		},
		"memcached": func(t *testing.T, through func(string) string) cache.Backend {
			return openMemcached(t, memcached.Options{Servers: []string{through(servers.StartMemcached(t, 1, "").Addrs[0])}}).Backend()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var p *proxy.Proxy
			b := driver.Resolve(open(t, func(addr string) string {
				var err error
				if p, err = proxy.New(addr); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { p.Close() })
				return p.Addr()
			}))
			for verb, write := range lateWrites {
				t.Run(verb, func(t *testing.T) { lateRequest(t, p, b, verb, write) })
			}
		})
	}
}

// lateWrites return the token of a lease, if they have one.
var lateWrites = map[string]func(t *testing.T, b *driver.Operations, key string) (token string, err error){
	"Set": func(t *testing.T, b *driver.Operations, key string) (string, error) {
		return "", b.Set(t.Context(), key, []byte("old"), time.Hour)
	},
	"Set, short": func(t *testing.T, b *driver.Operations, key string) (string, error) {
		return "", b.Set(t.Context(), key, []byte("old"), driver.MaxHold)
	},
	"SetMany": func(t *testing.T, b *driver.Operations, key string) (string, error) {
		return "", b.SetMany(t.Context(), []driver.Item{{Key: key, Value: []byte("old")}, {Key: "other", Value: nil}}, time.Hour)
	},
	"Add": func(t *testing.T, b *driver.Operations, key string) (string, error) {
		_, err := b.Add(t.Context(), key, []byte("old"), time.Hour)
		return "", err
	},
	"Inc": func(t *testing.T, b *driver.Operations, key string) (string, error) {
		_, err := b.Inc(t.Context(), key, 1, time.Hour)
		return "", err
	},
	"Lease": func(t *testing.T, b *driver.Operations, key string) (string, error) {
		_, _, token, err := b.Lease(t.Context(), key, driver.MaxHold)
		return token, err
	},
}

func lateRequest(t *testing.T, p *proxy.Proxy, b *driver.Operations, verb string, write func(t *testing.T, b *driver.Operations, key string) (string, error)) {
	ctx, key := t.Context(), "late-"+strings.ReplaceAll(verb, ", ", "-")
	if _, _, err := b.Get(ctx, key); err != nil { // sets up a connection
		t.Fatal(err)
	}
	if err := p.Set(proxy.Late); err != nil {
		t.Fatal(err)
	}
	token, err := write(t, b, key)
	if err != nil && !errors.Is(err, cache.ErrUnknownOutcome) {
		t.Fatalf("%s = %v; want ErrUnknownOutcome", verb, err)
	}
	if _, err := b.Delete(ctx, key); err != nil {
		t.Fatal(err)
	}
	delivered, deliverErr := p.Deliver()
	if !delivered || deliverErr != nil {
		t.Fatalf("Deliver = %v, %v", delivered, deliverErr)
	}
	if err != nil {
		return // so that the caller expects it
	}
	if value, ok, err := b.Get(ctx, key); ok || err != nil {
		t.Errorf("%s and Delete returned, and then Get returned %q, %v", verb, value, err)
	}
	if filled, err := b.Fill(ctx, key, token, []byte("old"), time.Hour); filled || err != nil {
		t.Errorf("Fill after a Delete = %v, %v; want false", filled, err)
	}
}
