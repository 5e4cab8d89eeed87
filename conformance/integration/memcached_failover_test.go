package integration

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/memcached"
)

func openMemcached(t *testing.T, o memcached.Options) *cache.Cache {
	t.Helper()
	b, err := memcached.New(t.Context(), patientMemcached(o))
	return opened(t, b, err)
}

func patientMemcached(o memcached.Options) memcached.Options {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = cmp.Or(o.DialTimeout, slowMachine), cmp.Or(o.ReadTimeout, slowMachine), cmp.Or(o.WriteTimeout, slowMachine)
	return o
}

// eachProtocol runs a test twice over servers that speak both protocols.
func eachProtocol(t *testing.T, server *servers.Memcached, test func(t *testing.T, o memcached.Options)) {
	for name, protocol := range map[string]memcached.Protocol{"text": memcached.Text, "binary": memcached.Binary} {
		o := memcached.Options{Servers: server.Addrs, Protocol: protocol}
		t.Run(name, func(t *testing.T) { test(t, o) })
	}
}

// numbered returns n keys, each with a value of its own.
func numbered(n int) (keys []string, items map[string][]byte) {
	items = map[string][]byte{}
	for i := range n {
		keys = append(keys, fmt.Sprint("k", i))
		items[keys[i]] = []byte("value of " + keys[i])
	}
	return keys, items
}

// checkPart checks what GetMany returned when only some servers answered: the
// others' keys are named as failed, and no other.
func checkPart(t *testing.T, keys []string, results []cache.Result[[]byte], err error, lost []string) error {
	t.Helper()
	failed := failures(t, err)
	for i, r := range results {
		if want := failed[keys[i]] == nil; r.OK != want || r.OK && string(r.Value) != "value of "+keys[i] {
			t.Errorf("key %s: %q, %v; want a hit: %v", keys[i], r.Value, r.OK, want)
		}
	}
	return checkLost(failed, lost)
}

// checkLost checks that the keys of a lost server are named as failed, and no other.
func checkLost(failed map[string]error, lost []string) error {
	if got := slices.Sorted(maps.Keys(failed)); !slices.Equal(got, slices.Sorted(slices.Values(lost))) {
		return fmt.Errorf("%d keys are named as failed, %q...; want the %d of the lost server", len(got), got[:min(3, len(got))], len(lost))
	}
	return nil
}

func TestMemcachedServerLost(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 3, "")
	eachProtocol(t, server, func(t *testing.T, o memcached.Options) {
		c := openMemcached(t, o)
		keys, items := numbered(300)
		if err := c.SetMany(t.Context(), items); err != nil {
			t.Fatal(err)
		}
		lost := server.Keys(t, 1)
		if len(lost) < 50 || len(lost) > 150 {
			t.Fatalf("%d of 300 keys are on one server of three", len(lost))
		}
		server.Kill(t, 1)
		for range 2 { // with connections that broke, and without any
			results, err := c.GetMany(t.Context(), keys...)
			if !errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("GetMany: %v; want ErrUnavailable", err)
			}
			if err := checkPart(t, keys, results, err, lost); err != nil {
				t.Error("GetMany:", err)
			}
		}
		failed := failures(t, c.SetMany(t.Context(), items))
		if err := checkLost(failed, lost); err != nil {
			t.Error("SetMany:", err)
		}
		for key, err := range failed {
			// Docker accepts connections before it notices that no server listens.
			if !errors.Is(err, cache.ErrUnavailable) && !errors.Is(err, cache.ErrUnknownOutcome) {
				t.Errorf("SetMany of %s: %v", key, err)
			}
		}
		deleted, err := c.DeleteMany(t.Context(), keys...)
		if failed := failures(t, err); len(failed) != len(lost) || len(deleted) != len(keys)-len(lost) {
			t.Errorf("DeleteMany: %d deleted, %d failed; want %d and %d", len(deleted), len(failed), len(keys)-len(lost), len(lost))
		}
		server.Revive(t, 1)
		if err := c.SetMany(t.Context(), items); err != nil {
			t.Errorf("SetMany when the server is back: %v", err)
		}
		if results, err := c.GetMany(t.Context(), keys...); err != nil || slices.ContainsFunc(results, func(r cache.Result[[]byte]) bool { return !r.OK }) {
			t.Errorf("GetMany when the server is back: %v, or a miss", err)
		}
	})
}

func TestMemcachedRestart(t *testing.T) {
	busy(t)
	const callers = 32
	server := servers.StartMemcached(t, 1, "")
	eachProtocol(t, server, func(t *testing.T, o memcached.Options) {
		for name, call := range verbs {
			c := openMemcached(t, o)
			together(callers, func(int) {
				for range 20 {
					if err := c.Set(t.Context(), "warm", nil); err != nil {
						t.Error("Set before the restart:", err)
					}
				}
			})
			server.Kill(t, 0)
			server.Revive(t, 0)
			var failed atomic.Int32
			together(callers, func(caller int) {
				key := fmt.Sprint(name, caller)
				first, second := call(t.Context(), c, key), call(t.Context(), c, key)
				if first != nil {
					failed.Add(1)
					if !errors.Is(first, cache.ErrUnknownOutcome) { // of what is not sent twice
						t.Errorf("%s, the first after a restart: %v", name, first)
					}
				}
				if second != nil {
					t.Errorf("%s, the second after a restart: %v", name, second)
				}
			})
			if failed.Load() > 0 {
				t.Logf("%s: %d of %d callers failed once", name, failed.Load(), callers)
			}
		}
	})
}

// While no server listens, every call fails at once. Afterwards no call fails.
func TestMemcachedOutage(t *testing.T) {
	timed(t)
	const callers = 16
	server := servers.StartMemcached(t, 1, "")
	c := openMemcached(t, memcached.Options{Servers: server.Addrs})
	var down atomic.Bool
	ctx, stop := context.WithCancel(t.Context())
	var refused, failedAfter atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		together(callers, func(caller int) {
			key := fmt.Sprint("k", caller)
			for failures := 0; ctx.Err() == nil; {
				before := down.Load()
				err := c.Set(t.Context(), key, nil)
				switch {
				case err == nil:
					failures = 0
				case before || down.Load():
					refused.Add(1)
				default:
					if failures++; failures > 1 {
						failedAfter.Add(1)
					}
				}
				time.Sleep(time.Millisecond)
			}
		})
	}()
	down.Store(true)
	server.Kill(t, 0)
	time.Sleep(100 * time.Millisecond)
	server.Revive(t, 0)
	down.Store(false)
	time.Sleep(300 * time.Millisecond)
	stop()
	<-done
	if refused.Load() == 0 || failedAfter.Load() > 0 {
		t.Errorf("%d calls failed while the server was down, %d callers twice after it was back; want some and none", refused.Load(), failedAfter.Load())
	}
}

func TestMemcachedFull(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 1, "-M -m 8")
	eachProtocol(t, server, func(t *testing.T, o memcached.Options) {
		c := openMemcached(t, o)
		items := map[string][]byte{}
		for i := range 800 {
			items[fmt.Sprint("k", i)] = bytes.Repeat([]byte("v"), 20<<10)
		}
		err := c.SetMany(t.Context(), items)
		if !errors.Is(err, cache.ErrFull) {
			t.Fatalf("SetMany of 16 MB into 8 MB: %v; want ErrFull", err)
		}
		failed := failures(t, err)
		full := slices.Sorted(maps.Keys(failed))[0]
		if err := c.Set(t.Context(), full, items[full]); !errors.Is(err, cache.ErrFull) {
			t.Errorf("Set on a full server: %v; want ErrFull", err)
		}
		if added, err := c.Add(t.Context(), full, items[full]); added || !errors.Is(err, cache.ErrFull) {
			t.Errorf("Add on a full server: %v, %v; want ErrFull", added, err)
		}
		stored := 0
		for key := range items {
			_, ok, err := c.Get(t.Context(), key)
			if err != nil {
				t.Fatal("Get on a full server:", err)
			}
			if ok == (failed[key] != nil) {
				t.Fatalf("key %s: stored %v, and named as failed: %v", key, ok, failed[key])
			}
			if !ok {
				continue
			}
			if deleted, err := c.Delete(t.Context(), key); !deleted || err != nil {
				t.Fatal("Delete on a full server:", deleted, err)
			}
			stored++
		}
		if stored == 0 {
			t.Error("nothing was stored: the test shows nothing")
		}
		if err := c.Set(t.Context(), full, items[full]); err != nil {
			t.Errorf("Set when there is room again: %v", err)
		}
		if _, err := c.Delete(t.Context(), full); err != nil {
			t.Error(err)
		}
	})
}

// A server that is stopped takes connections and requests, and answers nothing
// until it goes on: then it answers what nobody waits for any more.
func TestMemcachedStopped(t *testing.T) {
	timed(t)
	server := servers.StartMemcached(t, 3, "")
	eachProtocol(t, server, func(t *testing.T, o memcached.Options) {
		c := openMemcached(t, o)
		keys, items := numbered(300)
		if err := c.SetMany(t.Context(), items); err != nil {
			t.Fatal(err)
		}
		lost := server.Keys(t, 1)
		// call returns the error of the store, and what is wrong apart from it.
		inTime := func(what string, call func(ctx context.Context) (err, wrong error)) {
			t.Helper()
			patiently(t, func(patience time.Duration) error {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				begin := time.Now()
				err, wrong := call(ctx)
				took := time.Since(begin)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v; want DeadlineExceeded", what, err)
				}
				if wrong == nil && took > 3*patience {
					wrong = fmt.Errorf("it took %v", took)
				}
				if wrong != nil {
					return fmt.Errorf("%s with a deadline in %v: %w", what, patience, wrong)
				}
				return nil
			})
		}
		server.Pause(t, 1)
		for name, call := range verbs {
			if !strings.HasSuffix(name, "Many") { // whose second key may be another server's
				inTime(name, func(ctx context.Context) (err, wrong error) { return call(ctx, c, lost[0]), nil })
			}
		}
		inTime("GetMany", func(ctx context.Context) (err, wrong error) {
			results, err := c.GetMany(ctx, keys...)
			if !errors.As(err, new(*cache.BatchError)) { // the deadline has passed before anything was sent
				return err, fmt.Errorf("%w is not a BatchError", err)
			}
			return err, checkPart(t, keys, results, err, lost)
		})
		inTime("SetMany", func(ctx context.Context) (err, wrong error) {
			err = c.SetMany(ctx, items)
			if !errors.As(err, new(*cache.BatchError)) {
				return err, fmt.Errorf("%w is not a BatchError", err)
			}
			return err, checkLost(failures(t, err), lost)
		})
		server.Resume(t, 1)
		// What it was sent may still be done: to the key of the calls anything, to
		// the others nothing that changes them.
		kept := slices.DeleteFunc(keys, func(key string) bool { return key == lost[0] })
		together(16, func(caller int) {
			for i := caller; i < 3*len(kept); i += 16 {
				key := kept[i%len(kept)]
				if value, ok, err := c.Get(t.Context(), key); string(value) != "value of "+key || !ok || err != nil {
					t.Errorf("Get of %s when the server goes on = %q, %v, %v", key, value, ok, err)
				}
			}
		})
	})
}

// Replies that no server gives: an error, no value, no panic, no allocation that
// the reply asks for, and the next call has a connection in step.
func TestMemcachedForgedReplies(t *testing.T) {
	header := func(magic, opcode byte, keyLength uint16, extras byte, bodyLength uint32) []byte {
		h := make([]byte, 24, 64)
		h[0], h[1], h[4] = magic, opcode, extras
		binary.BigEndian.PutUint16(h[2:], keyLength)
		binary.BigEndian.PutUint32(h[8:], bodyLength)
		return h
	}
	forged := map[memcached.Protocol][][]byte{
		memcached.Text: {
			[]byte("VALUE other 0 5\r\nwrong\r\nEND\r\n"), []byte("VA 5 f0 kother\r\nwrong\r\n"),
			[]byte("VALUE k 0 4294967295\r\nwrong"), []byte("VA 4294967295 f0\r\nwrong"), []byte("VA 99999999999999999999 f0\r\n"),
			[]byte("VA -1 f0\r\n"), []byte("VA \r\n"), []byte("VALUE k\r\n"), []byte("VALUE k 0 -5\r\n"),
			[]byte("\n"), []byte("\r\n"), []byte(" "), []byte("\x00\r\n"), []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
			bytes.Repeat([]byte("x"), 60<<10), append(header(0x81, 0, 0, 4, 9), "\x00\x00\x00\x00wrong"...),
		},
		memcached.Binary: {
			header(0x81, 0x00, 0, 4, 1<<32-1), header(0x81, 0x00, 1<<16-1, 4, 9), header(0x81, 0x00, 0, 255, 4),
			append(header(0x81, 0x00, 5, 4, 14), "\x00\x00\x00\x00otherwrong"...),
			append(header(0x81, 0x0c, 5, 4, 14), "\x00\x00\x00\x00otherwrong"...),
			header(0x80, 0x00, 0, 0, 0), header(0x81, 0xff, 0, 0, 0), []byte("VALUE k 0 5\r\nwrong\r\nEND\r\n"), []byte("ERROR\r\n"),
		},
	}
	server := servers.StartMemcached(t, 1, "")
	eachProtocol(t, server, func(t *testing.T, o memcached.Options) {
		p, err := proxy.New(server.Addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		o.Servers = []string{p.Addr()}
		c := openMemcached(t, o)
		for _, reply := range forged[o.Protocol] {
			for name, call := range verbs {
				if err := c.Set(t.Context(), "k", []byte("7")); err != nil {
					t.Fatalf("Set after %.40q: %v", reply, err)
				}
				p.Forged = reply
				p.Set(proxy.Garbage)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond) // some replies promise more
				err := call(ctx, c, "k")
				cancel()
				runtime.ReadMemStats(&after)
				if err == nil {
					t.Errorf("%s answered with %.40q: no error", name, reply)
				}
				if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 2<<20 {
					t.Errorf("%s answered with %.40q allocates %d MiB", name, reply, allocated>>20)
				}
				p.Set(proxy.Pass)
			}
		}
		if value, ok, err := c.Get(t.Context(), "k"); err != nil || ok && len(value) != 1 {
			t.Errorf("Get after all = %q, %v, %v", value, ok, err)
		}
	})
}

// patterned returns a value that shows whether all of it was written at once.
func patterned(size int) []byte {
	stamp := binary.LittleEndian.AppendUint64(nil, uint64(size))
	stamp = binary.LittleEndian.AppendUint64(stamp, rand.Uint64())
	return bytes.Repeat(stamp, size/len(stamp))
}

func isPatterned(value []byte) bool {
	return len(value) >= 16 && binary.LittleEndian.Uint64(value) == uint64(len(value)) && bytes.Equal(value[16:], value[:len(value)-16])
}

// Writers of all sizes replace each other's value, in so little room that the
// server evicts chunks of values in use: a reader finds one whole value, or none.
func TestMemcachedSpreadWriters(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 1, "-m 128")
	evicts := func() bool {
		return !slices.ContainsFunc(server.Ask(t, 0, "stats", "END"), func(line string) bool {
			return strings.TrimSpace(line) == "STAT evictions 0"
		})
	}
	eachProtocol(t, server, func(t *testing.T, o memcached.Options) {
		o.Spread = true
		c := openMemcached(t, o)
		values := [][]byte{patterned(16), patterned(100_000), patterned(3 << 20), patterned(16 << 20)}
		var hits [4]atomic.Int32
		var misses atomic.Int32
		round := func() {
			end := time.Now().Add(time.Second)
			together(8, func(caller int) {
				for n := caller; time.Now().Before(end) && !t.Failed(); n++ {
					// A server of which all memory is being written to has none to evict.
					if err := c.Set(t.Context(), "k", values[n%len(values)]); err != nil && !errors.Is(err, cache.ErrFull) {
						t.Error("Set:", err)
						return
					}
					value, ok, err := c.Get(t.Context(), "k")
					if err != nil {
						t.Error("Get:", err)
						return
					}
					if !ok {
						misses.Add(1)
						continue
					}
					i := slices.IndexFunc(values, func(v []byte) bool { return len(v) == len(value) })
					if i < 0 || !isPatterned(value) {
						t.Errorf("Get returned %d bytes that nobody wrote", len(value))
						return
					}
					hits[i].Add(1)
				}
			})
		}
		// It takes longer to see everything if the machine is busy.
		shown := func() bool {
			return hits[0].Load() > 0 && hits[1].Load() > 0 && hits[2].Load() > 0 && hits[3].Load() > 0 && evicts()
		}
		for range 30 {
			if round(); shown() || t.Failed() {
				break
			}
		}
		t.Logf("hits by size: %d, %d, %d, %d; %d misses", hits[0].Load(), hits[1].Load(), hits[2].Load(), hits[3].Load(), misses.Load())
		if !shown() {
			t.Error("a size was never read, or nothing evicted: the test shows nothing")
		}
	})
}

// A value is a miss if a chunk is missing or belongs to another write.
func TestMemcachedSpreadDamaged(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 1, "")
	eachProtocol(t, server, func(t *testing.T, o memcached.Options) {
		o.Spread = true
		c := openMemcached(t, o)
		items := map[string][]byte{"k": patterned(4 << 20), "beside": patterned(96)}
		for _, damage := range []string{
			"delete %s", "set %s 0 0 5\r\nwrong", "set %s 0 0 0\r\n", "append %s 0 0 1\r\nx", "prepend %s 0 0 1\r\nx",
		} {
			for chunk := range 4 {
				if err := c.SetMany(t.Context(), items); err != nil {
					t.Fatal(err)
				}
				chunks := slices.DeleteFunc(server.Keys(t, 0), func(key string) bool { return items[key] != nil })
				if len(chunks) < 4 {
					t.Fatalf("4 MiB are stored in %d chunks", len(chunks))
				}
				command := fmt.Sprintf(damage, slices.Sorted(slices.Values(chunks))[chunk])
				server.Ask(t, 0, command+"\r\nmn", "MN")
				if value, ok, err := c.Get(t.Context(), "k"); ok || err != nil {
					t.Errorf("Get after %q: %d bytes, %v, %v; want a miss", command, len(value), ok, err)
				}
				results, err := c.GetMany(t.Context(), "k", "beside")
				if err != nil || results[0].OK || !isPatterned(results[1].Value) {
					t.Errorf("GetMany after %q: %v, and hits %v and %v; want one of the value beside", command, err, results[0].OK, results[1].OK)
				}
				server.Ask(t, 0, "flush_all", "OK")
			}
		}
	})
}

// Nothing of a value is left behind by Delete and DeleteMany.
// Rule DEL-3.
func TestMemcachedSpreadLeavesNothing(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 3, "-m 256")
	eachProtocol(t, server, func(t *testing.T, o memcached.Options) {
		o.Spread = true
		c := openMemcached(t, o)
		value := patterned(6 << 20)
		for name, remove := range map[string]func() error{
			"Delete":     func() error { _, err := c.Delete(t.Context(), "k"); return err },
			"DeleteMany": func() error { _, err := c.DeleteMany(t.Context(), "k"); return err },
		} {
			if err := c.Set(t.Context(), "k", value); err != nil {
				t.Fatal(err)
			}
			if err := remove(); err != nil {
				t.Fatal(err)
			}
			for i := range server.Addrs {
				if left := server.Keys(t, i); len(left) > 0 {
					t.Errorf("%s leaves %q on server %d", name, left, i)
				}
			}
		}
	})
}

func TestMemcachedSpreadServerLost(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 3, "")
	eachProtocol(t, server, func(t *testing.T, o memcached.Options) {
		o.Spread, o.ChunkSize, o.MaxChunks = true, 100_000, 50 // by chance, none of 42 on one of three servers: never
		c := openMemcached(t, o)
		value := patterned(4 << 20)
		if err := c.Set(t.Context(), "k", value); err != nil {
			t.Fatal(err)
		}
		server.Kill(t, 1)
		defer server.Revive(t, 1)
		if got, ok, err := c.Get(t.Context(), "k"); ok || !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Get of a value of which chunks are lost: %d bytes, %v, %v; want ErrUnavailable", len(got), ok, err)
		}
		if err := c.Set(t.Context(), "k", value); err == nil {
			t.Error("Set of a value of which chunks cannot be stored: no error")
		}
	})
}

// Over TLS, the server may leave unread what follows a large value: Add does not send a
// second command behind it.
func TestMemcachedTLSLargeAdd(t *testing.T) {
	busy(t)
	certificate := servers.NewCertificate(t)
	c, err := cache.Open(t.Context(), cache.FromMap(patient(map[string]any{
		"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": servers.StartMemcachedTLS(t, certificate).Addrs[0],
		"CACHE_MEMCACHED_TLS_CA": caFile(t, certificate),
	})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	for _, size := range []int{0, 4 << 10, 16<<10 - 100, 16 << 10, 100_000, 900_000} {
		for i, want := range []bool{true, false} {
			added, err := c.Add(t.Context(), fmt.Sprint(size), make([]byte, size))
			if added != want || err != nil {
				t.Errorf("Add %d of %d bytes = %v, %v; want %v", i+1, size, added, err, want)
			}
		}
	}
}
