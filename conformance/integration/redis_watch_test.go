package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/redis"
)

const (
	watchGrace = 4 * time.Second // a busy machine does not reply at once
	watchLimit = 3 * time.Minute // sentinels do nothing for 30 s when they notice how late they are
)

// watch is a call of Watch that a test follows.
type watch struct {
	ready chan struct{}
	ended chan error

	mu   sync.Mutex
	keys map[string]int
}

func startRedisWatch(t *testing.T, o redis.Options, prefix string) *watch {
	t.Helper()
	b, err := redis.New(t.Context(), patientRedis(o))
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{ready: make(chan struct{}), ended: make(chan error, 1), keys: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		w.ended <- b.Watch(ctx, prefix, watchGrace, driver.Notices{
			Ready: func() { close(w.ready) },
			Changed: func(key string) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.keys[key]++
			},
		})
	})
	t.Cleanup(func() { cancel(); wait.Wait(); b.Close() })
	return w
}

func (w *watch) waitReady(t *testing.T) {
	t.Helper()
	select {
	case <-w.ready:
	case err := <-w.ended:
		t.Fatal("Watch ended: ", err)
	case <-time.After(watchLimit):
		t.Fatal("Watch does not become ready")
	}
}

// expect waits for the notices of keys.
func (w *watch) expect(t *testing.T, what string, keys ...string) {
	t.Helper()
	missing := func() (missing []string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, key := range keys {
			if w.keys[key] == 0 {
				missing = append(missing, key)
			}
		}
		return missing
	}
	for begin := time.Now(); len(missing()) > 0; time.Sleep(time.Millisecond) {
		if time.Since(begin) > watchLimit {
			t.Fatalf("%s: no notice of %q", what, missing())
		}
		select {
		case err := <-w.ended:
			t.Fatalf("%s: Watch ended without a notice of %q: %v", what, missing(), err)
		default:
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range w.keys {
		if !strings.HasPrefix(key, "p:") || strings.Contains(key, "\x00lease") {
			t.Errorf("%s: notice of %q", what, key)
		}
	}
	clear(w.keys)
}

func (w *watch) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(watchLimit):
		t.Fatal("Watch does not end")
		return nil
	}
}

// Every way to change an entry is reported, and nothing else is.
func TestRedisWatch(t *testing.T) {
	busy(t)
	server := servers.StartRedis(t, "")
	testRedisWatch(t, server, redis.Options{Addr: server.Addrs[0], AllowFlush: true}, map[string]func(w *watch, key string) error{
		"another program": func(_ *watch, key string) error {
			_, err := server.Cli(t.Context(), 0, "set '"+key+"' x")
			return err
		},
		"another program, EXPIRE": func(w *watch, key string) error {
			_, err := server.Cli(t.Context(), 0, "set '"+key+"' x")
			err = errors.Join(err, w.reset(t, key))
			_, expireErr := server.Cli(t.Context(), 0, "expire '"+key+"' 100")
			return errors.Join(err, expireErr)
		},
	})
}

// withoutTracking returns the options of a user who may do everything but CLIENT TRACKING,
// and who may publish and receive changes of keys with the prefix p:.
func withoutTracking(t *testing.T, server *servers.Redis) redis.Options {
	t.Helper()
	for i := range server.Addrs {
		cli(t, server, i, "acl setuser app reset on '>secret' '~*' resetchannels '&cachebackends:changed:p:*' '&cachebackends:flushed' +@all '-client|tracking'")
	}
	return redis.Options{Addr: server.Addrs[0], Username: "app", Password: cache.Secret("secret"), AllowFlush: true}
}

// Where the server refuses CLIENT TRACKING, the writers publish every change.
func TestRedisWatchOfPublications(t *testing.T) {
	busy(t)
	server := servers.StartRedis(t, "")
	o := withoutTracking(t, server)
	if err := startRedisWatch(t, o, "p:").end(t); !driver.IsUnsupported(err) || !strings.Contains(err.Error(), "PublishChanges (publish_changes)") {
		t.Errorf("Watch with CLIENT TRACKING: %v; want a refusal with the remedy", err)
	}
	o.PublishChanges = true
	testRedisWatch(t, server, o, nil)
}

// A write that may not be published changes nothing.
func TestRedisPublicationRefused(t *testing.T) {
	busy(t)
	server := servers.StartRedis(t, "")
	for _, rules := range []string{"resetchannels", "allchannels -publish", "allchannels -eval"} {
		cli(t, server, 0, "acl setuser app reset on '>secret' '~*' +@all "+rules)
		b, err := redis.New(t.Context(), patientRedis(redis.Options{Addr: server.Addrs[0], Username: "app", Password: cache.Secret("secret"), PublishChanges: true}))
		opened(t, b, err)
		_, incErr := b.Inc(t.Context(), "n", 1, time.Hour)
		for name, err := range map[string]error{"Set": b.Set(t.Context(), "k", nil, 0), "Inc": incErr} {
			if !errors.Is(err, cache.ErrAuth) || !strings.Contains(err.Error(), "PublishChanges (publish_changes)") {
				t.Errorf("%s with %q: %v; want ErrAuth with the remedy", name, rules, err)
			}
		}
		for _, key := range []string{"k", "n"} {
			if has, err := b.Has(t.Context(), key); has || err != nil {
				t.Errorf("after a refused write with %q: %v, %v", rules, has, err)
			}
		}
	}
}

// On a cluster, every primary passes on what its writers publish, also after slots have
// moved and a write was redirected.
func TestRedisWatchOfPublicationsInCluster(t *testing.T) {
	timed(t)
	cluster := servers.StartRedisCluster(t, 0)
	o := withoutTracking(t, cluster)
	o.Addr, o.Cluster, o.PublishChanges = "", cluster.Addrs, true
	b, err := redis.New(t.Context(), patientRedis(o))
	opened(t, b, err)
	w := startRedisWatch(t, o, "p:")
	w.waitReady(t)
	keys, items := make([]string, 300), make([]driver.Item, 300)
	for i := range keys {
		keys[i] = fmt.Sprint("p:", i)
		items[i].Key = keys[i]
	}
	for range 2 {
		if err := b.SetMany(t.Context(), items, time.Hour); err != nil {
			t.Fatal(err)
		}
		w.expect(t, "cluster", keys...)
		cluster.Reshard(t, 1500)
	}
}

// testRedisWatch changes entries in every way that a Backend has, and others.
func testRedisWatch(t *testing.T, server *servers.Redis, o redis.Options, others map[string]func(w *watch, key string) error) {
	w := startRedisWatch(t, o, "p:")
	w.waitReady(t)
	b, err := redis.New(t.Context(), patientRedis(o))
	opened(t, b, err)
	ctx := t.Context()
	foreign, err := redis.New(ctx, patientRedis(redis.Options{Addr: server.Addrs[0]}))
	opened(t, foreign, err)
	changes := map[string]func(key string) error{
		"Set":     func(key string) error { return b.Set(ctx, key, nil, time.Minute) },
		"SetMany": func(key string) error { return b.SetMany(ctx, []driver.Item{{Key: key}}, 0) },
		"Add":     func(key string) error { _, err := b.Add(ctx, key, nil, time.Minute); return err },
		"Inc":     func(key string) error { _, err := b.Inc(ctx, key, 1, time.Minute); return err },
		"Delete": func(key string) error {
			return errors.Join(b.Set(ctx, key, nil, 0), w.reset(t, key), func() error { _, err := b.Delete(ctx, key); return err }())
		},
		"DeleteMany": func(key string) error {
			return errors.Join(b.Set(ctx, key, nil, 0), w.reset(t, key), func() error { _, err := b.DeleteMany(ctx, []string{key}); return err }())
		},
		"ClearPrefix": func(key string) error {
			return errors.Join(b.Set(ctx, key, nil, 0), w.reset(t, key), b.ClearPrefix(ctx, key))
		},
		"Fill": func(key string) error {
			_, _, token, err := b.Lease(ctx, key, time.Minute)
			if err != nil {
				return err
			}
			_, err = b.Fill(ctx, key, token, []byte("v"), time.Minute)
			return err
		},
		"CompareAndSwap": func(key string) error {
			err := errors.Join(b.Set(ctx, key, []byte("a"), 0), w.reset(t, key))
			_, swapErr := b.CompareAndSwap(ctx, key, []byte("a"), []byte("b"), 0)
			return errors.Join(err, swapErr)
		},
	}
	for name, change := range others {
		changes[name] = func(key string) error { return change(w, key) }
	}
	for name, change := range changes {
		key := "p:" + name
		if err := errors.Join(foreign.Set(ctx, "other:"+name, nil, time.Second), change(key)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		w.expect(t, name, key)
	}
	if err := b.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.end(t); err == nil || !strings.Contains(err.Error(), "FLUSHDB") {
		t.Errorf("after Clear: %v", err)
	}
}

// reset waits for the notice of key and forgets it.
func (w *watch) reset(t *testing.T, key string) error {
	w.expect(t, "before", key)
	return nil
}

// An eviction is reported.
func TestRedisWatchOfEviction(t *testing.T) {
	busy(t)
	server := servers.StartRedis(t, "--maxmemory 20mb --maxmemory-policy allkeys-random")
	o := redis.Options{Addr: server.Addrs[0]}
	b, err := redis.New(t.Context(), patientRedis(o))
	opened(t, b, err)
	const keys = 100
	for i := range keys {
		if err := b.Set(t.Context(), fmt.Sprint("p:", i), make([]byte, 50<<10), 0); err != nil {
			t.Fatal(err)
		}
	}
	w := startRedisWatch(t, o, "p:")
	w.waitReady(t)
	for i := range 500 {
		if err := b.Set(t.Context(), fmt.Sprint("other:", i), make([]byte, 50<<10), 0); err != nil {
			t.Fatal(err)
		}
	}
	var evicted []string
	for i := range keys {
		key := fmt.Sprint("p:", i)
		if present, err := b.Has(t.Context(), key); err == nil && !present {
			evicted = append(evicted, key)
		}
	}
	if len(evicted) == 0 {
		t.Fatal("nothing was evicted")
	}
	w.expect(t, "eviction", evicted...)
}

// Whatever happens to the link, Watch ends, and the next one works.
func TestRedisWatchEnds(t *testing.T) {
	timed(t)
	server := servers.StartRedis(t, "")
	p, err := proxy.New(server.Addrs[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	for name, disturb := range map[string]func(){
		"cut":       p.Drop,
		"refused":   func() { p.Set(proxy.Refuse) },
		"stalled":   func() { p.Set(proxy.Blackhole) },
		"drip":      func() { p.Set(proxy.Drip) },
		"garbage":   func() { p.Forged = []byte("garbage\r\n"); p.Set(proxy.Garbage) },
		"restart":   func() { server.Restart(t) },
		"flush":     func() { cli(t, server, 0, "flushall") },
		"kill":      func() { cli(t, server, 0, "client kill type normal") },
		"suspended": func() { cli(t, server, 0, "client pause 60000 all") },
	} {
		t.Run(name, func(t *testing.T) {
			w := startRedisWatch(t, redis.Options{Addr: p.Addr()}, "p:")
			w.waitReady(t)
			if name == "drip" { // a reply of 7 bytes takes too long only if reports precede it
				go func() {
					for i := range 200 {
						server.Cli(context.Background(), 0, fmt.Sprintf("set p:%0100d x", i))
					}
				}()
			}
			disturb()
			err := w.end(t)
			p.Set(proxy.Pass)
			if name == "suspended" {
				cli(t, server, 0, "client unpause")
			}
			if name == "flush" == errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("%v", err)
			}
		})
	}
	w := startRedisWatch(t, redis.Options{Addr: p.Addr()}, "p:")
	w.waitReady(t)
	cli(t, server, 0, "set p:k x")
	w.expect(t, "afterwards", "p:k")
}

func cli(t *testing.T, server *servers.Redis, i int, command string) {
	t.Helper()
	if out, err := server.Cli(t.Context(), i, command); err != nil {
		t.Fatalf("%s: %v %s", command, err, out)
	}
}

// Every primary of a cluster reports, also after slots have moved. A failover ends Watch.
func TestRedisWatchOfCluster(t *testing.T) {
	timed(t)
	cluster := servers.StartRedisCluster(t, 1)
	o := redis.Options{Cluster: cluster.Addrs}
	b, err := redis.New(t.Context(), patientRedis(o))
	opened(t, b, err)
	w := startRedisWatch(t, o, "p:")
	w.waitReady(t)
	keys := make([]string, 300)
	for i := range keys {
		keys[i] = fmt.Sprint("p:", i)
	}
	setAll := func() {
		t.Helper()
		for _, key := range keys {
			if err := b.Set(t.Context(), key, []byte("v"), time.Hour); err != nil {
				t.Fatal(err)
			}
		}
	}
	setAll()
	w.expect(t, "cluster", keys...)
	cluster.Reshard(t, 1500)
	setAll()
	w.expect(t, "after a reshard", keys...)
	cluster.KillPrimary(t)
	if err := w.end(t); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("after a failover: %v", err)
	}
}

// A primary of a cluster that is frozen ends Watch, and the next Watch follows the replica
// that takes its place.
func TestRedisWatchOfClusterFrozenPrimary(t *testing.T) {
	timed(t)
	cluster := servers.StartRedisCluster(t, 1)
	o := redis.Options{Cluster: cluster.Addrs, ReadTimeout: time.Second}
	w := startRedisWatch(t, o, "p:")
	w.waitReady(t)
	cluster.HastenFailover(t)
	cluster.Pause(t, 0)
	if err := w.end(t); err == nil { // for silence, or for the new primary: whichever is noticed first
		t.Error("no error after a primary was frozen")
	}
	cluster.AwaitPromotion(t, 3)
	b, err := redis.New(t.Context(), o)
	opened(t, b, err)
	keys := make([]string, 50)
	for i := range keys {
		keys[i] = fmt.Sprint("p:", i)
	}
	setAll := func() (err error) {
		for _, key := range keys {
			err = errors.Join(err, b.Set(t.Context(), key, nil, time.Hour))
		}
		return err
	}
	eventually(t, "a watch of the new primary", func() error {
		w = startRedisWatch(t, o, "p:")
		select {
		case <-w.ready:
			return setAll()
		case err := <-w.ended:
			return err
		}
	})
	w.expect(t, "after a failover", keys...)
	cluster.Resume(t, 0)
	eventually(t, "a replica", func() error {
		role, err := cluster.Cli(t.Context(), 0, "role")
		if err == nil && !strings.HasPrefix(role, "slave") {
			err = errors.New(role)
		}
		return err
	})
	eventually(t, "writes after the return of the former primary", setAll)
	w.expect(t, "after the return of the former primary", keys...)
}

// A failover ends Watch, by a crash or by command, and the next Watch follows the new
// primary.
func TestRedisWatchWithSentinels(t *testing.T) {
	timed(t)
	sentinel := servers.StartRedisSentinel(t, "hunter2", "sesame")
	o := redis.Options{Sentinels: sentinel.Addrs, Password: cache.Secret("hunter2"), SentinelPassword: cache.Secret("sesame")}
	b, err := redis.New(t.Context(), patientRedis(o))
	opened(t, b, err)

	w := startRedisWatch(t, o, "p:")
	w.waitReady(t)
	if err := b.Set(t.Context(), "p:k", nil, 0); err != nil {
		t.Fatal(err)
	}
	w.expect(t, "before", "p:k")
	sentinel.KillPrimary(t)
	if err := w.end(t); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("after a crash: %v", err)
	}

	eventually(t, "a watch of the new primary", func() error {
		w = startRedisWatch(t, o, "p:")
		select {
		case <-w.ready:
			return b.Set(t.Context(), "p:k", nil, 0)
		case err := <-w.ended:
			return err
		}
	})
	w.expect(t, "after a crash", "p:k")
	eventually(t, "a failover", func() error { return sentinel.FailOver(t.Context()) })
	if err := w.end(t); err == nil {
		t.Error("no error after a failover by command")
	}
}

// eventually repeats try until it succeeds.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Since(begin) > watchLimit {
			t.Fatalf("%s: %v", what, err)
		}
	}
}
