package stores

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	"github.com/cachebackends/cachebackends/gcs"
	"github.com/cachebackends/cachebackends/memcached"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/uwsgi"

	cache "github.com/cachebackends/cachebackends/core"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

func TestMain(m *testing.M) {
	if Write() {
		return
	}
	flag.Parse()
	flag.Set("test.benchtime", "1x") // every task once
	code := m.Run()
	StopServers()
	os.Exit(code)
}

// kinds have servers; with each comes one of our backends, to look at it from beside
// the peers.
var kinds = []struct {
	name string
	Kind
	open func(addr string) (cache.Backend, error)
}{
	{"redis", Redis, func(addr string) (cache.Backend, error) { return redis.New(ctx, redis.Options{Addr: addr}) }},
	{"memcached", Memcached, func(addr string) (cache.Backend, error) {
		return memcached.New(ctx, memcached.Options{Servers: []string{addr}})
	}},
	{"uwsgi", Uwsgi, func(addr string) (cache.Backend, error) { return uwsgi.New(ctx, uwsgi.Options{Addr: addr}) }},
	{"redis-cluster", RedisCluster, func(addr string) (cache.Backend, error) {
		return redis.New(ctx, redis.Options{Cluster: strings.Split(addr, ",")})
	}},
	{"gcs", GCS(8), func(addr string) (cache.Backend, error) {
		return gcs.New(ctx, gcs.Options{Bucket: gcsBucket, Endpoint: "http://" + addr, Anonymous: true})
	}},
}

// startKind skips the test if there is no server.
func startKind(t *testing.T, k Kind) (addr string) {
	t.Helper()
	if k.Missing != nil && k.Missing() != "" {
		t.Skip(k.Missing())
	}
	addr, stop, err := k.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return addr
}

func openPeer(t *testing.T, p peer, addr string) store {
	t.Helper()
	s, err := p.open(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s.batches()
}

func TestPeersReturnWhatTheyWereGiven(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { testValues(t, k.Kind) })
	}
	t.Run("files", func(t *testing.T) { testValues(t, Files(t.TempDir(), 0)) })
}

func testValues(t *testing.T, k Kind) {
	addr := startKind(t, k)
	for _, p := range k.peers {
		t.Run(p.name, func(t *testing.T) {
			s := openPeer(t, p, addr)
			keys := workload.Keys(0, 10)
			for _, want := range []string{"first", "again"} {
				if err := s.set(keys[3], []byte(p.name+want)); err != nil {
					t.Fatal(err)
				}
				if got, err := s.get(keys[3]); err != nil || string(got) != p.name+want {
					t.Errorf("got %q, %v, want %q", got, err, p.name+want)
				}
			}
			if got, err := s.get("absent"); err == nil {
				t.Errorf("an absent key is %q", got)
			}
			value := "value of " + p.name
			if err := s.setMany(keys, []byte(value))(); err != nil {
				t.Fatal(err)
			}
			for _, key := range keys {
				if got, err := s.get(key); err != nil || string(got) != value {
					t.Errorf("got %q, %v, want %q", got, err, value)
				}
			}
			if found, err := s.getMany(keys); found != len(keys) || err != nil {
				t.Errorf("found %d, %v, want %d", found, err, len(keys))
			}
			if s.deleteMany == nil {
				return
			}
			if found, err := s.deleteMany(keys); found != len(keys) || err != nil {
				t.Errorf("deleted %d, %v, want %d", found, err, len(keys))
			}
			if got, err := s.get(keys[0]); err == nil {
				t.Errorf("a deleted key is %q", got)
			}
		})
	}
}

// TestCallsThatExpect finds a peer that does not look at what the server returns.
func TestCallsThatExpect(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			addr := startKind(t, k.Kind)
			for _, p := range k.peers {
				s := openPeer(t, p, addr)
				if s.add == nil {
					continue
				}
				const key = "single"
				s.remove(key)
				for _, step := range []struct {
					call string
					do   func() error
					ok   bool
				}{
					{"ttl of an absent key", func() error { return s.ttl(key) }, false},
					{"remove of an absent key", func() error { return s.remove(key) }, false},
					{"add of an absent key", func() error { return s.add(key, []byte("v")) }, true},
					{"add of a present key", func() error { return s.add(key, []byte("v")) }, false},
					{"ttl of a present key", func() error { return s.ttl(key) }, true},
					{"remove of a present key", func() error { return s.remove(key) }, true},
				} {
					if err := step.do(); (err == nil) != step.ok {
						t.Errorf("%s: %s: %v", p.name, step.call, err)
					}
				}
			}
		})
	}
}

// TestPeersKeepLives finds a peer that is spared the work of expiry.
func TestPeersKeepLives(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			addr := startKind(t, k.Kind)
			beside, err := k.open(addr)
			if err != nil {
				t.Fatal(err)
			}
			c := cache.New(beside)
			t.Cleanup(func() { c.Close() })
			key := workload.Keys(0, 1)
			for _, p := range k.peers {
				if strings.HasPrefix(p.lacks, "expiry") {
					continue
				}
				s := openPeer(t, p, addr)
				for name, store := range map[string]func() error{
					"set": func() error { return s.set(key[0], []byte("v")) }, "setMany": s.setMany(key, []byte("v")),
				} {
					if _, err := c.Delete(ctx, key[0]); err != nil {
						t.Fatal(err)
					}
					if err := store(); err != nil {
						t.Fatal(err)
					}
					ttl, ok, err := c.TTL(ctx, key[0])
					if !ok || err != nil || ttl < workload.Life*9/10 || ttl > workload.Life+5*time.Second { // some round up
						t.Errorf("%s of %s: lives %v, %v, %v, want %v", name, p.name, ttl, ok, err, workload.Life)
					}
				}
			}
		})
	}
}

// TestPeersAskTheServer finds a peer that answers from memory, or several calls with
// one answer.
func TestPeersAskTheServer(t *testing.T) {
	const calls, callers = 640, 64
	for _, k := range kinds[:3] {
		t.Run(k.name, func(t *testing.T) {
			link, err := proxy.New(startKind(t, k.Kind))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { link.Close() })
			for _, p := range k.peers {
				for _, op := range []string{"get", "set"} {
					task := parse(op + "/callers=64")
					run, closeRun, err := p.openRun(link.Addr(), task, workload.Keys(0, 1))
					if err != nil {
						t.Fatal(err)
					}
					_, _, before, _ := link.Counts()
					run(&testing.B{N: calls})
					_, _, after, _ := link.Counts()
					if least := int64(calls * workload.KeySize); after-before < least {
						t.Errorf("%s sent %d bytes for %d calls of %s, want at least %d", p.name, after-before, calls, op, least)
					}
					closeRun()
				}
			}
		})
	}
}

func TestCallersCallAtOnce(t *testing.T) {
	for _, callers := range []int{1, 16} {
		synctest.Test(t, func(t *testing.T) {
			var met sync.WaitGroup
			var calls atomic.Int32
			met.Add(callers)
			b := &testing.B{N: 3 * callers}
			runCallers(b, callers, func(int) error {
				if int(calls.Add(1)) <= callers {
					met.Done()
				}
				met.Wait() // forever, if fewer are under way
				return nil
			})
			if int(calls.Load()) != b.N {
				t.Errorf("%d calls by %d callers, want %d", calls.Load(), callers, b.N)
			}
		})
	}
}

// TestTasks runs each task once, on files.
func TestTasks(t *testing.T) {
	dir := t.TempDir()
	all := slices.Concat(
		[]measure.Series{Together("Together", dir), Crowd("Crowd", dir, 64)},
		Files(dir, 20).Series("Full", "full/entries=20 open/entries=20 clear/entries=20 clearprefix/entries=20"),
		Files(dir, 0).Series("File", "get/callers=2 append/bytes=1KiB set/bytes=1KiB create/bytes=100B getmany/keys=3 setmany/keys=3 deletemany/keys=3"))
	for _, s := range all {
		for _, l := range s.Lanes {
			release, err := s.Setup()
			if err != nil {
				t.Fatal(err)
			}
			run, closeRun, err := l.Open()
			if err != nil {
				t.Fatal(err)
			}
			if measured := testing.Benchmark(run); measured.N == 0 {
				t.Errorf("%s of %s failed", s.Name, l.Peer)
			}
			closeRun()
			release()
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%d directories are left", len(left))
	}
}

func TestMissingServersAreNamed(t *testing.T) {
	t.Setenv("BENCH_REDIS", "")
	t.Setenv("PATH", t.TempDir())
	if why, want := Redis.Missing(), "no address in BENCH_REDIS and no redis-server on the PATH"; why != want {
		t.Errorf("%q, want %q", why, want)
	}
	t.Setenv("BENCH_REDIS", "localhost:6379")
	if why := Redis.Missing(); why != "" {
		t.Errorf("%q, although there is an address", why)
	}
}

func TestOriginal(t *testing.T) {
	var simple measure.Series
	for _, s := range Original("Original") {
		if s.Name == "Original/simple/getmany/keys=100" {
			simple = s
		}
	}
	if why := simple.Missing(); why != "" {
		t.Skip(why)
	}
	run, closeRun, err := simple.Lanes[1].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer closeRun()
	if ns := testing.Benchmark(run).Extra[measure.OwnTime]; ns <= 0 {
		t.Errorf("%v ns a call", ns)
	}
	broken := openOriginal(map[string]any{"CACHE_TYPE": "NullCache"})
	if _, err := broken.measured("get"); err == nil || !strings.Contains(err.Error(), "a key is missing") {
		t.Errorf("NullCache returns %v", err)
	}
}

func TestRawClearRemovesFiles(t *testing.T) {
	dir := t.TempDir()
	s, err := openRawFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := s.set(fmt.Sprint("key", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.clear(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "raw")); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
}
