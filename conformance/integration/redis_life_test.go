package integration

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	"github.com/cachebackends/cachebackends/redis"
)

// While writers replace an entry by one with another TTL, no value gets the longer TTL of
// another entry.
func TestRedisValueWithItsTTL(t *testing.T) {
	busy(t)
	server := servers.StartRedis(t, "")
	b, err := redis.New(t.Context(), patientRedis(redis.Options{Addr: server.Addrs[0]}))
	opened(t, b, err)
	ttls := map[string]time.Duration{"short": time.Minute, "long": time.Hour, "endless": 0}
	var writers sync.WaitGroup
	stop := make(chan struct{})
	for value, ttl := range ttls {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := b.Set(t.Context(), "k", []byte(value), ttl); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	together(8, func(int) {
		for range 1000 {
			values, lives, err := b.GetManyWithTTL(t.Context(), []string{"k", "absent"})
			value, life, ok, oneErr := b.GetWithTTL(t.Context(), "k")
			if err != nil || oneErr != nil || values[1] != nil {
				t.Error(err, oneErr, values[1])
				return
			}
			if !ok || values[0] == nil {
				continue // the first write is not complete yet
			}
			for value, life := range map[string]time.Duration{string(value): life, string(values[0]): lives[0]} {
				if longest := ttls[value]; longest > 0 && (life <= 0 || life > longest) {
					t.Errorf("%s: TTL %v", value, life)
				}
			}
		}
	})
	close(stop)
	writers.Wait()
}

// A value with its TTL is read from the primary, which has every write.
func TestRedisValueWithTTLOfReplicas(t *testing.T) {
	busy(t)
	cluster := servers.StartRedisCluster(t, 1)
	b, err := redis.New(t.Context(), patientRedis(redis.Options{Cluster: cluster.Addrs, ReadFromReplicas: true}))
	opened(t, b, err)
	for i := range 300 {
		key := fmt.Sprint("k", i)
		if err := b.Set(t.Context(), key, []byte(key), time.Hour); err != nil {
			t.Fatal(err)
		}
		value, _, ok, err := b.GetWithTTL(t.Context(), key)
		values, _, manyErr := b.GetManyWithTTL(t.Context(), []string{key})
		if string(value) != key || !ok || string(values[0]) != key || err != nil || manyErr != nil {
			t.Fatalf("%q: %q, %q, %v, %v", key, value, values[0], err, manyErr)
		}
	}
}
