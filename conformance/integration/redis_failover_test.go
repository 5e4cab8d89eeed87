package integration

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/redis"
)

func openRedis(t *testing.T, o redis.Options) *cache.Cache {
	t.Helper()
	b, err := redis.New(t.Context(), patientRedis(o))
	return opened(t, b, err)
}

func patientRedis(o redis.Options) redis.Options {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = cmp.Or(o.DialTimeout, slowMachine), cmp.Or(o.ReadTimeout, slowMachine), cmp.Or(o.WriteTimeout, slowMachine)
	return o
}

// load writes and reads, one caller per key, until stopped.
type load struct {
	patience time.Duration // of a call

	stop    context.CancelFunc
	callers sync.WaitGroup
	rounds  [8]atomic.Int64 // of each caller, those without an error
	mu      sync.Mutex
	failed  []error // also for an older value, which a replica may have after a failover
	foreign []error // for a value of another key, which is a defect
	calls   int
}

func startLoad(t *testing.T, c *cache.Cache, patience time.Duration) *load {
	l := &load{patience: patience}
	ctx, stop := context.WithCancel(t.Context())
	l.stop = stop
	for i := range l.rounds {
		l.callers.Go(func() { l.call(ctx, c, i) })
	}
	l.await(t, time.Minute)
	return l
}

func (l *load) call(ctx context.Context, c *cache.Cache, caller int) {
	key := fmt.Sprintf("load%d", caller)
	for n := 0; ctx.Err() == nil; n++ {
		own := key + " "
		value := fmt.Append(nil, own, n)
		var foreign error
		patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.patience)
		err := c.SetMany(patient, map[string][]byte{key: value, key + "b": value})
		if err == nil {
			var results []cache.Result[[]byte]
			results, err = c.GetMany(patient, key, key+"b")
			if err == nil && !(bytes.Equal(results[0].Value, value) && bytes.Equal(results[1].Value, value)) {
				err = fmt.Errorf("read %q and %q after writing %q", results[0].Value, results[1].Value, value)
			}
			for _, r := range results {
				if r.OK && !bytes.HasPrefix(r.Value, []byte(own)) {
					foreign = fmt.Errorf("read %q under %s", r.Value, key)
				}
			}
		}
		cancel()
		l.mu.Lock()
		l.calls++
		if foreign != nil {
			l.foreign = append(l.foreign, foreign)
		}
		if err != nil {
			l.failed = append(l.failed, err)
		} else {
			l.rounds[caller].Add(1)
		}
		l.mu.Unlock()
		time.Sleep(2 * time.Millisecond)
	}
}

// await waits until every caller has completed a round that began after now. limit is
// counted in pauses, which take longer on a busy machine.
func (l *load) await(t *testing.T, limit time.Duration) {
	t.Helper()
	var before [len(l.rounds)]int64
	for i := range l.rounds {
		before[i] = l.rounds[i].Load()
	}
	const pause = 5 * time.Millisecond
	begin, left := time.Now(), limit
	for i := range l.rounds {
		for ; l.rounds[i].Load() < before[i]+2; left -= pause { // the first may have begun earlier
			if left < 0 {
				t.Fatalf("caller %d has not completed a round for %v", i, time.Since(begin))
			}
			time.Sleep(pause)
		}
	}
	t.Logf("every caller has completed a round after %v", time.Since(begin).Round(time.Millisecond))
}

func (l *load) end(t *testing.T) {
	t.Helper()
	l.stop()
	l.callers.Wait()
	t.Logf("%d rounds, %d failed", l.calls, len(l.failed))
	if len(l.foreign) > 0 {
		t.Errorf("%d rounds read the value of another key, the first: %v", len(l.foreign), l.foreign[0])
	}
}

// recovery is how long calls may fail after a replica has become the primary. The client
// reloads the topology every second, but sentinels that notice a stall of the machine do
// nothing for 30 s.
const recovery = time.Minute

func TestRedisSentinelFailover(t *testing.T) {
	timed(t)
	sentinel := servers.StartRedisSentinel(t, "hunter2", "sesame")
	failOver(t, sentinel, redis.Options{Sentinels: sentinel.Addrs, Password: cache.Secret("hunter2"), SentinelPassword: cache.Secret("sesame")}, 1)
}

func TestRedisClusterFailover(t *testing.T) {
	timed(t)
	cluster := servers.StartRedisCluster(t, 1)
	failOver(t, cluster, redis.Options{Cluster: cluster.Addrs}, 3)
}

// failOver kills a primary under load. There are primaries of them before and afterwards.
func failOver(t *testing.T, r *servers.Redis, o redis.Options, primaries int) {
	t.Helper()
	l := startLoad(t, openRedis(t, o), time.Second)
	r.KillPrimary(t)
	r.AwaitPromotion(t, primaries)
	l.await(t, recovery)
	l.end(t)
}

func TestRedisClusterReshard(t *testing.T) {
	timed(t)
	cluster := servers.StartRedisCluster(t, 1)
	c := openRedis(t, redis.Options{Cluster: cluster.Addrs})
	l := startLoad(t, c, time.Minute) // a call fails because of its reply, not because the machine is busy
	cluster.Reshard(t, 750)           // among them those of load0 and load4
	l.await(t, time.Minute)
	l.end(t)
	if len(l.failed) > 0 {
		t.Errorf("%d of %d rounds failed, the first with: %v", len(l.failed), l.calls, l.failed[0])
	}
}

func TestRedisRestart(t *testing.T) {
	busy(t)
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
	timed(t)
	server := servers.StartRedis(t, "--enable-debug-command yes --key-load-delay 1000 --loading-process-events-interval-bytes 1024")
	c := openRedis(t, redis.Options{Addr: server.Addrs[0]})
	// A busy machine may see the server only after it has loaded few keys.
	for keys := 2000; ; keys *= 3 {
		for _, command := range []string{fmt.Sprint("debug populate ", keys), "set k v", "save"} {
			if _, err := server.Cli(t.Context(), 0, command); err != nil {
				t.Fatal(err)
			}
		}
		server.Restart(t)
		switch refused := readWhileLoading(t, c); {
		case refused > 0:
			return
		case keys > 20_000:
			t.Fatal("the server was never seen loading: the test shows nothing")
		}
	}
}

// readWhileLoading reads until the server has loaded its data. It returns how many reads
// were refused.
func readWhileLoading(t *testing.T, c *cache.Cache) (refused int) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; refused++ {
		value, ok, err := c.Get(t.Context(), "k")
		if err == nil {
			if string(value) != "v" || !ok {
				t.Errorf("Get while the server loads = %q, %v", value, ok)
			}
			return refused
		}
		if !errors.Is(err, cache.ErrUnavailable) {
			t.Fatalf("Get while the server loads: %v; want ErrUnavailable", err)
		}
		if time.Now().After(end) {
			t.Fatal("the server does not end loading")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// While a server does not reply, every call returns at its deadline. A late reply is not
// taken for the reply to a later call.
func TestRedisPaused(t *testing.T) {
	timed(t)
	server := servers.StartRedis(t, "")
	c := openRedis(t, redis.Options{Addr: server.Addrs[0]})
	if err := c.Set(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	for name, call := range verbs {
		patiently(t, func(patience time.Duration) error {
			server.Pause(t, 0)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			begin := time.Now()
			err := call(ctx, c, "k2")
			took := time.Since(begin)
			server.Resume(t, 0)
			if value, ok, err := c.Get(t.Context(), "k"); string(value) != "v" || !ok || err != nil {
				t.Errorf("Get after %s, when the server answers again: %q, %v, %v", name, value, ok, err)
			}
			if !errors.Is(err, context.DeadlineExceeded) || took > 2*patience {
				return fmt.Errorf("%s with %v: %v after %v; want DeadlineExceeded", name, patience, err, took)
			}
			return nil
		})
	}
}

func TestRedisReadOnly(t *testing.T) {
	busy(t)
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
