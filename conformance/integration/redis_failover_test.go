package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/redis"
)

func openRedis(t *testing.T, o redis.Options) *cache.Cache {
	t.Helper()
	b, err := redis.New(t.Context(), o)
	return opened(t, b, err)
}

// load writes and reads, one caller per key, until stopped.
type load struct {
	patience time.Duration // of a call

	stop    context.CancelFunc
	callers sync.WaitGroup
	mu      sync.Mutex
	outage  time.Duration // the longest time in which a caller had no success
	failed  []error
	calls   int
}

func startLoad(t *testing.T, c *cache.Cache, patience time.Duration) *load {
	const callers = 8
	l := &load{patience: patience}
	ctx, stop := context.WithCancel(t.Context())
	l.stop = stop
	for i := range callers {
		l.callers.Go(func() { l.call(ctx, c, fmt.Sprintf("load%d", i)) })
	}
	return l
}

func (l *load) call(ctx context.Context, c *cache.Cache, key string) {
	succeeded := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		value := fmt.Append(nil, key, " ", n)
		patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.patience)
		err := c.SetMany(patient, map[string][]byte{key: value, key + "b": value})
		if err == nil {
			var results []cache.Result[[]byte]
			results, err = c.GetMany(patient, key, key+"b")
			if err == nil && !(bytes.Equal(results[0].Value, value) && bytes.Equal(results[1].Value, value)) {
				err = fmt.Errorf("read %q and %q after writing %q", results[0].Value, results[1].Value, value)
			}
		}
		cancel()
		l.mu.Lock()
		l.calls++
		if err != nil {
			l.failed = append(l.failed, err)
		} else {
			l.outage = max(l.outage, time.Since(succeeded))
			succeeded = time.Now()
		}
		l.mu.Unlock()
		time.Sleep(2 * time.Millisecond)
	}
}

// during runs disturb under load, and goes on until every caller has had time to
// recover.
func (l *load) during(t *testing.T, disturb func(), longest time.Duration) {
	t.Helper()
	time.Sleep(200 * time.Millisecond)
	disturb()
	time.Sleep(longest)
	l.stop()
	l.callers.Wait()
	t.Logf("%d rounds, %d failed, longest outage of a caller %v", l.calls, len(l.failed), l.outage.Round(time.Millisecond))
	if l.outage > longest {
		t.Errorf("a caller had no success for %v, promised are %v", l.outage, longest)
	}
}

func TestRedisSentinelFailover(t *testing.T) {
	sentinel := servers.StartRedisSentinel(t, "hunter2", "sesame")
	c := openRedis(t, redis.Options{Sentinels: sentinel.Addrs, Password: cache.Secret("hunter2"), SentinelPassword: cache.Secret("sesame")})
	l := startLoad(t, c, time.Second)
	l.during(t, func() { sentinel.KillPrimary(t) }, 4*time.Second)
}

func TestRedisClusterFailover(t *testing.T) {
	cluster := servers.StartRedisCluster(t)
	c := openRedis(t, redis.Options{Cluster: cluster.Addrs})
	l := startLoad(t, c, time.Second)
	l.during(t, func() { cluster.KillPrimary(t) }, 6*time.Second)
}

func TestRedisClusterReshard(t *testing.T) {
	cluster := servers.StartRedisCluster(t)
	c := openRedis(t, redis.Options{Cluster: cluster.Addrs})
	l := startLoad(t, c, 3*time.Second) // the machine may be busy
	l.during(t, func() { cluster.Reshard(t, 1500) }, 3*time.Second)
	if len(l.failed) > 0 {
		t.Errorf("%d of %d rounds failed, the first with: %v", len(l.failed), l.calls, l.failed[0])
	}
}

func TestRedisRestart(t *testing.T) {
	server := servers.StartRedis(t, "")
	c := openRedis(t, redis.Options{Addr: server.Addrs[0]})
	const callers = 8
	warm := func(int) {
		for range 50 {
			if err := c.Set(t.Context(), "k", nil); err != nil {
				t.Error("Set before the restart:", err)
			}
		}
	}
	for name, call := range map[string]func(key string) error{
		"Get": func(key string) error { _, _, err := c.Get(t.Context(), key); return err },
		"Set": func(key string) error { return c.Set(t.Context(), key, nil) },
		"Inc": func(key string) error { _, err := c.Inc(t.Context(), key, 1); return err },
	} {
		together(callers, warm)
		server.Restart(t)
		together(callers, func(caller int) {
			first, second := call(fmt.Sprint("n", caller)), call(fmt.Sprint("n", caller))
			if first != nil && name != "Inc" { // which is not sent twice
				t.Errorf("%s, the first after a restart: %v", name, first)
			}
			if second != nil {
				t.Errorf("%s, the second after a restart: %v", name, second)
			}
		})
	}
}

func TestRedisLoading(t *testing.T) {
	server := servers.StartRedis(t, "--enable-debug-command yes --key-load-delay 1000 --loading-process-events-interval-bytes 1024")
	c := openRedis(t, redis.Options{Addr: server.Addrs[0]})
	for _, command := range []string{"debug populate 3000", "set k v", "save"} {
		if _, err := server.Cli(t.Context(), 0, command); err != nil {
			t.Fatal(err)
		}
	}
	server.Restart(t)
	refused := 0
	for end := time.Now().Add(20 * time.Second); ; refused++ {
		value, ok, err := c.Get(t.Context(), "k")
		if err == nil {
			if string(value) != "v" || !ok {
				t.Errorf("Get while the server loads = %q, %v", value, ok)
			}
			break
		}
		if !errors.Is(err, cache.ErrUnavailable) {
			t.Fatalf("Get while the server loads: %v; want ErrUnavailable", err)
		}
		if time.Now().After(end) {
			t.Fatal("the server does not end loading")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if refused == 0 {
		t.Error("the server was never seen loading: the test shows nothing")
	}
}

// If a server does not reply for a while, every call returns at its deadline, and
// a late reply is not taken for the reply to a later call.
func TestRedisPaused(t *testing.T) {
	server := servers.StartRedis(t, "")
	c := openRedis(t, redis.Options{Addr: server.Addrs[0]})
	if err := c.Set(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	for name, call := range verbs {
		patiently(t, func(patience time.Duration) error {
			pause := fmt.Sprint("client pause ", (5 * patience).Milliseconds(), " all")
			if _, err := server.Cli(t.Context(), 0, pause); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			begin := time.Now()
			err := call(ctx, c, "k2")
			took := time.Since(begin)
			if !errors.Is(err, context.DeadlineExceeded) || took > 2*patience {
				return fmt.Errorf("%s with %v: %v after %v; want DeadlineExceeded", name, patience, err, took)
			}
			if value, ok, err := c.Get(t.Context(), "k"); string(value) != "v" || !ok || err != nil {
				t.Errorf("Get after %s, when the pause is over: %q, %v, %v", name, value, ok, err)
			}
			return nil
		})
	}
}

func TestRedisReadOnly(t *testing.T) {
	server := servers.StartRedis(t, "")
	c := openRedis(t, redis.Options{Addr: server.Addrs[0]})
	become := func(role string) {
		t.Helper()
		if _, err := server.Cli(t.Context(), 0, "replicaof "+role); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Set(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	become("127.0.0.1 1")
	if err := c.Set(t.Context(), "k", []byte("new")); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Set on a replica: %v; want ErrUnavailable", err)
	}
	if added, err := c.Add(t.Context(), "l", nil); added || !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Add on a replica = %v, %v; want ErrUnavailable", added, err)
	}
	if value, ok, err := c.Get(t.Context(), "k"); string(value) != "v" || !ok || err != nil {
		t.Errorf("Get on a replica = %q, %v, %v", value, ok, err)
	}
	become("no one")
	if err := c.Set(t.Context(), "k", []byte("new")); err != nil {
		t.Errorf("Set on a primary again: %v", err)
	}
}
