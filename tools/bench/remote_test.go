package main

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// inspector looks at a server from beside the peers.
type inspector interface {
	delete(t *testing.T, key string)
	ttl(t *testing.T, key string) time.Duration
	executed(t *testing.T, op string) int // gets or sets, since the server began
}

// testRemotes runs a test on a server of each kind.
func testRemotes(t *testing.T, test func(t *testing.T, r remote, addr string, server inspector)) {
	for _, r := range []struct {
		remote
		inspect func(t *testing.T, addr string) inspector
	}{{redisRemote(), inspectRedis}, {memcachedRemote(), inspectMemcached}, {gcsRemote(), inspectGcs}} {
		t.Run(r.group, func(t *testing.T) {
			if r.missing != "" {
				t.Skip(r.missing)
			}
			addr, stop, err := r.start()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(stop)
			test(t, r.remote, addr, r.inspect(t, addr))
		})
	}
}

func TestRemotePeersReturnWhatTheyWereGiven(t *testing.T) {
	testRemotes(t, func(t *testing.T, r remote, addr string, _ inspector) {
		for _, p := range r.peers {
			t.Run(p.name, func(t *testing.T) {
				s := openRemotePeer(t, p, addr)
				keys := makeKeys(0, 10)
				for _, want := range []string{"first", "again"} {
					for _, key := range keys {
						if err := s.set(key, []byte(key+want)); err != nil {
							t.Fatal(err)
						}
					}
					for _, key := range keys {
						if got, err := s.get(key); err != nil || string(got) != key+want {
							t.Errorf("got %q, %v, want %q", got, err, key+want)
						}
					}
				}
				if got, err := s.get("absent"); err == nil {
					t.Errorf("an absent key is %q", got)
				}
			})
		}
	})
}

func TestRemotePeersStoreBatches(t *testing.T) {
	testRemotes(t, func(t *testing.T, r remote, addr string, _ inspector) {
		for _, p := range r.peers {
			if !p.batches {
				continue
			}
			t.Run(p.name, func(t *testing.T) {
				s := openRemotePeer(t, p, addr)
				keys, value := makeKeys(0, 10), []byte("value of "+p.name)
				if err := s.setMany(keys, value)(); err != nil {
					t.Fatal(err)
				}
				for _, key := range keys {
					if got, err := s.get(key); err != nil || !bytes.Equal(got, value) {
						t.Errorf("got %q, %v, want %q", got, err, value)
					}
				}
				if found, err := s.getMany(append(keys, "absent")); found != len(keys) || err != nil {
					t.Errorf("found %d, %v, want %d", found, err, len(keys))
				}
				if s.deleteMany == nil {
					return
				}
				if found, err := s.deleteMany(keys); found != len(keys) || err != nil {
					t.Errorf("deleted %d, %v, want %d", found, err, len(keys))
				}
				if found, err := s.getMany(keys); found != 0 || err != nil {
					t.Errorf("found %d, %v after all were deleted", found, err)
				}
			})
		}
	})
}

// TestRemotePeersKeepLives is to notice a peer that is spared the work of expiry.
func TestRemotePeersKeepLives(t *testing.T) {
	testRemotes(t, func(t *testing.T, r remote, addr string, server inspector) {
		key := makeKeys(0, 1)[0]
		for _, p := range r.peers {
			t.Run(p.name, func(t *testing.T) {
				s := openRemotePeer(t, p, addr)
				stores := map[string]func() error{"set": func() error { return s.set(key, []byte("v")) }}
				if p.batches {
					stores["setMany"] = s.setMany([]string{key}, []byte("v"))
				}
				for name, store := range stores {
					server.delete(t, key)
					if err := store(); err != nil {
						t.Fatal(err)
					}
					if ttl := server.ttl(t, key); ttl < life*9/10 || ttl > life+5*time.Second { // some round up
						t.Errorf("%s: lives %v, want %v", name, ttl, life)
					}
				}
			})
		}
	})
}

// TestRemotePeersAskTheServer is to notice a peer that answers from memory, or
// several calls with one answer.
func TestRemotePeersAskTheServer(t *testing.T) {
	const calls = 640
	testRemotes(t, func(t *testing.T, r remote, addr string, server inspector) {
		for _, p := range r.peers {
			for _, op := range []string{"get", "set"} {
				t.Run(p.name+"/"+op, func(t *testing.T) {
					s := openRemotePeer(t, p, addr)
					keys, value := makeKeys(0, 1), make([]byte, valueSize)
					if err := s.set(keys[0], value); err != nil {
						t.Fatal(err)
					}
					callers := 64
					if p.callers > 0 {
						callers = p.callers
					}
					before := server.executed(t, op)
					runCallers(&testing.B{N: calls}, callers, remoteStep(s, call(op, callers), keys, value))
					if got := server.executed(t, op) - before; got < calls {
						t.Errorf("%d calls came to the server, want %d", got, calls)
					}
				})
			}
		}
	})
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
				met.Wait() // for ever, where fewer are under way
				return nil
			})
			if int(calls.Load()) != b.N {
				t.Errorf("%d calls by %d callers, want %d", calls.Load(), callers, b.N)
			}
		})
	}
}

func TestMissingServersAreReported(t *testing.T) {
	for _, variable := range []string{"BENCH_REDIS", "BENCH_MEMCACHED"} {
		t.Setenv(variable, "")
	}
	t.Setenv("PATH", t.TempDir())
	leftOut := strings.Join(missing(allSeries([]string{t.TempDir()})), "\n")
	text := (report{LeftOut: missing(allSeries([]string{t.TempDir()}))}).markdown(nil)
	for _, group := range []string{"Redis", "Memcached"} {
		if !strings.Contains(leftOut, group+": ") || !strings.Contains(text, "**Left out**: "+group+": ") {
			t.Errorf("%s is not among what is left out, or not in the report: %q\n%s", group, leftOut, text)
		}
	}
}

func openRemotePeer(t *testing.T, p remotePeer, addr string) remoteStore {
	t.Helper()
	s, err := p.open(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}
