package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/simple"
)

// leasingStores are the stores with leases that processes share. Each function starts one
// and returns its settings.
var leasingStores = map[string]func(t *testing.T) map[string]any{
	"filesystem": func(t *testing.T) map[string]any {
		return map[string]any{"CACHE_TYPE": "filesystem", "CACHE_DIR": t.TempDir()}
	},
	"redis": func(t *testing.T) map[string]any {
		return map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": "redis://" + servers.StartRedis(t, "").Addrs[0]}
	},
	"memcached": func(t *testing.T) map[string]any {
		return map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": servers.StartMemcached(t, 1, "").Addrs[0]}
	},
	"gcs": func(t *testing.T) map[string]any {
		endpoint, newBucket := startGCS(t)
		newBucket("leases")
		return gcsSettings(endpoint, "leases")
	},
}

func openSettings(t *testing.T, settings map[string]any) *cache.Cache {
	t.Helper()
	c, err := cache.Open(t.Context(), cache.FromMap(patient(settings)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// callers is the number of concurrent callers of one key in one process.
const callers = 64

// loadAtOnce makes callers get one key with a loader of 50 ms that returns loaded. It
// returns the number of runs of the loader, and the values that the callers got.
func loadAtOnce(ctx context.Context, c *cache.Cache, loaded string) (loads int, values []string, err error) {
	var ran atomic.Int64
	var mu sync.Mutex
	got := map[string]bool{}
	var failed error
	together(callers, func(int) {
		value, e := cache.Of[string](c).GetOrSet(ctx, "key", func(context.Context) (string, error) {
			ran.Add(1)
			time.Sleep(50 * time.Millisecond)
			return loaded, nil
		}, cache.Lease(driver.MaxHold), cache.Timeout(time.Hour))
		mu.Lock()
		defer mu.Unlock()
		failed = errors.Join(failed, e)
		if !got[value] {
			got[value] = true
			values = append(values, value)
		}
	})
	return int(ran.Load()), values, failed
}

// oneLoad checks that the processes together ran the loader once and agree on the value.
func oneLoad(t *testing.T, round, loads int, values []string) {
	t.Helper()
	if loads != 1 {
		t.Errorf("round %d: %d loads, want 1", round, loads)
	}
	for _, value := range values {
		if value != values[0] || !strings.HasPrefix(value, fmt.Sprint(round, "-")) {
			t.Errorf("round %d: callers got %q, want one value of this round", round, values)
			return
		}
	}
}

const rounds = 20

// Rule LSE-8 of the contract: after each of many invalidations, 4 processes with 64
// callers each load once.
func TestLeaseOneLoadPerExpiry(t *testing.T) {
	t.Parallel()
	for name, start := range leasingStores {
		t.Run(name, func(t *testing.T) {
			busy(t)
			settings := start(t)
			c := openSettings(t, settings)
			var processes [4]*process
			for i := range processes {
				processes[i] = startProcess(t, settings)
			}
			for round := range rounds {
				var results [len(processes)]loadResult
				together(len(processes), func(i int) {
					if err := processes[i].ask("load", fmt.Sprint(round, "-", i), &results[i]); err != nil {
						t.Error(err)
					}
				})
				loads, values := 0, []string(nil)
				for _, result := range results {
					loads += result.Loads
					values = append(values, result.Values...)
				}
				oneLoad(t, round, loads, values)
				if deleted, err := c.Delete(t.Context(), "key"); !deleted || err != nil {
					t.Fatalf("round %d: Delete = %v, %v, want true", round, deleted, err)
				}
			}
		})
	}
}

// A store in the memory of the process has several Caches in place of processes.
func TestLeaseOneLoadPerExpiryInProcess(t *testing.T) {
	busy(t)
	b, err := simple.New(t.Context(), simple.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var caches [4]*cache.Cache
	for i := range caches {
		caches[i] = opened(t, b, nil)
	}
	for round := range rounds {
		var mu sync.Mutex
		loads, values := 0, []string(nil)
		together(len(caches), func(i int) {
			ran, got, err := loadAtOnce(t.Context(), caches[i], fmt.Sprint(round, "-", i))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			loads += ran
			values = append(values, got...)
		})
		oneLoad(t, round, loads, values)
		if deleted, err := b.Delete(t.Context(), "key"); !deleted || err != nil {
			t.Fatalf("round %d: Delete = %v, %v, want true", round, deleted, err)
		}
	}
}

// A process that is killed with SIGKILL while it holds a lease is replaced after hold.
func TestLeaseOfKilledProcess(t *testing.T) {
	t.Parallel()
	const hold = 2 * time.Second
	for name, start := range leasingStores {
		t.Run(name, func(t *testing.T) {
			busy(t)
			settings := start(t)
			c, ctx := openSettings(t, settings), t.Context()
			holder := startProcess(t, settings)
			begin := time.Now()
			var dead string
			if err := holder.ask("lease", hold.String(), &dead); err != nil || dead == "" {
				t.Fatalf("the lease of the process: %q, %v", dead, err)
			}
			holder.kill()
			token := ""
			for token == "" {
				var ok bool
				var err error
				if _, ok, token, err = c.Lease(ctx, "key", driver.MaxHold); ok || err != nil {
					t.Fatalf("Lease of a killed holder's key: ok=%v, %v", ok, err)
				}
				if waited := time.Since(begin); waited > time.Minute {
					t.Fatalf("no lease after %v", waited)
				}
				time.Sleep(time.Millisecond)
			}
			if held := time.Since(begin); held < hold {
				t.Errorf("another caller got the lease after %v, before the hold of %v", held, hold)
			}
			if filled, err := c.Fill(ctx, "key", dead, []byte("stale")); filled || err != nil {
				t.Errorf("Fill with the token of the killed process = %v, %v, want false", filled, err)
			}
			if filled, err := c.Fill(ctx, "key", token, []byte("new")); !filled || err != nil {
				t.Errorf("Fill with the token of its successor = %v, %v, want true", filled, err)
			}
			if value, _, err := c.Get(ctx, "key"); string(value) != "new" || err != nil {
				t.Errorf("Get = %q, %v, want the new value", value, err)
			}
		})
	}
}

// A value that was loaded before a failover is not stored over one that was set after it,
// whether or not the replica has received the lease.
func TestRedisSentinelLeaseFailover(t *testing.T) {
	busy(t)
	sentinel := servers.StartRedisSentinel(t, "hunter2", "sesame")
	c := openRedis(t, redis.Options{Sentinels: sentinel.Addrs, Password: cache.Secret("hunter2"), SentinelPassword: cache.Secret("sesame")})
	ctx := t.Context()
	tokens := map[string]string{}
	for _, key := range []string{"set", "deleted", "filled"} {
		_, ok, token, err := c.Lease(ctx, key, driver.MaxHold)
		if ok || token == "" || err != nil {
			t.Fatalf("Lease(%s) = %v, %q, %v, want a token", key, ok, token, err)
		}
		tokens[key] = token
	}
	sentinel.KillPrimary(t)
	afterFailover(t, func() error { return c.Set(ctx, "set", []byte("new")) })
	afterFailover(t, func() error { _, err := c.Delete(ctx, "deleted"); return err })
	for key, want := range map[string]string{"set": "new", "deleted": ""} {
		filled, err := c.Fill(ctx, key, tokens[key], []byte("stale"))
		if filled || err != nil {
			t.Errorf("Fill(%s) after the failover = %v, %v, want false", key, filled, err)
		}
		if value, _, err := c.Get(ctx, key); string(value) != want || err != nil {
			t.Errorf("Get(%s) after the failover = %q, %v, want %q", key, value, err, want)
		}
	}
	// The lease of a key that was not written is kept or lost. The reply reports which.
	filled, err := c.Fill(ctx, "filled", tokens["filled"], []byte("loaded"))
	if err != nil {
		t.Fatal("Fill after the failover:", err)
	}
	if _, ok, err := c.Get(ctx, "filled"); ok != filled || err != nil {
		t.Errorf("Fill after the failover = %v, then Get = %v, %v", filled, ok, err)
	}
	_, ok, token, err := c.Lease(ctx, "next", driver.MaxHold)
	if ok || token == "" || err != nil {
		t.Errorf("Lease after the failover = %v, %q, %v, want a token", ok, token, err)
	}
}

// afterFailover repeats call until there is a new primary.
func afterFailover(t *testing.T, call func() error) {
	t.Helper()
	err := call()
	for end := time.Now().Add(3 * time.Minute); err != nil && time.Now().Before(end); err = call() {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatal("no new primary: ", err)
	}
}

// process is another process with a Cache. It runs a test that prints JSON.
type process struct {
	command *exec.Cmd
	in      io.Writer
	out     *bufio.Scanner
}

const leaseProcess = "CACHE_TEST_LEASE_PROCESS"

func startProcess(t *testing.T, settings map[string]any) *process {
	t.Helper()
	described, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	return startTest(t, "TestLeaseProcess", leaseProcess+"="+string(described))
}

// startTest starts a process that runs one test.
func startTest(t *testing.T, name, variable string) *process {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.timeout=0")
	command.Env = append(os.Environ(), variable)
	command.Stderr = os.Stderr
	in, err1 := command.StdinPipe()
	out, err2 := command.StdoutPipe()
	if err := errors.Join(err1, err2, command.Start()); err != nil {
		t.Fatal(err)
	}
	p := &process{command, in, bufio.NewScanner(out)}
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	p.command.Process.Kill()
	p.command.Wait()
}

// ask sends a command and stores the reply in result.
func (p *process) ask(name, argument string, result any) error {
	if _, err := fmt.Fprintln(p.in, name, argument); err != nil {
		return err
	}
	return p.reply(result)
}

// reply stores in result what the process prints.
func (p *process) reply(result any) error {
	if !p.out.Scan() {
		return fmt.Errorf("the process has ended: %w", errors.Join(p.out.Err(), io.ErrUnexpectedEOF))
	}
	return json.Unmarshal(p.out.Bytes(), result)
}

type loadResult struct {
	Loads  int
	Values []string
}

// TestLeaseProcess answers one line of JSON to each command.
func TestLeaseProcess(t *testing.T) {
	described := os.Getenv(leaseProcess)
	if described == "" {
		t.Skip("only for the processes of other tests")
	}
	var settings map[string]any
	if err := json.Unmarshal([]byte(described), &settings); err != nil {
		t.Fatal(err)
	}
	c := openSettings(t, settings)
	reply := json.NewEncoder(os.Stdout)
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		name, argument, _ := strings.Cut(commands.Text(), " ")
		switch name {
		case "load":
			loads, values, err := loadAtOnce(t.Context(), c, argument)
			if err != nil {
				t.Fatal(err)
			}
			reply.Encode(loadResult{loads, values})
		case "lease":
			hold, _ := time.ParseDuration(argument)
			_, _, token, err := c.Lease(t.Context(), "key", hold)
			if err != nil {
				t.Fatal(err)
			}
			reply.Encode(token)
		}
	}
}
