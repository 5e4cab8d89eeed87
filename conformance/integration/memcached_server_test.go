package integration

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached"
)

// What the server itself says, on which the backend builds.
func TestMemcachedFacts(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 1, "")
	long, large := strings.Repeat("k", 251), strings.Repeat("v", 1<<20)
	for _, c := range []struct{ fact, command, answer string }{
		{"a quiet set says nothing, and mn ends the answers", "ms k 1 q\r\nv", ""},
		{"add", "ms k 1 ME\r\nw", "NS"},
		{"a quiet add tells that it did not", "ms k 1 q ME\r\nw", "NS"},
		{"has", "mg k\r\nmg absent", "HD EN"},
		{"remaining life, of one without end", "mg k t", "HD t-1"},
		{"delete tells whether the key was there", "md k\r\nmd k", "HD NF"},
		{"a key of 250 bytes", "mg " + long[1:], "EN"},
		{"a longer one is an error", "mg " + long, "CLIENT_ERROR bad command line format"},
		{"get of several", "ms k 1\r\nv\r\nget k absent k", "HD VALUE k 0 1 v VALUE k 0 1 v END"},
		{"30 days are relative", "ms k 1 T2592000\r\nv\r\nmg k v", "HD VA 1 v"},
		{"a second more is a date, long past", "ms k 1 T2592001\r\nv\r\nmg k v", "HD EN"},
		{"the last date", "ms k 1 T2147483647\r\nv\r\nmg k v", "HD VA 1 v"},
		{"a value of 1 MiB and its header are more than an item of 1 MiB",
			"ms k " + fmt.Sprint(len(large)) + "\r\n" + large, "SERVER_ERROR object too large for cache"},
		{"and have deleted the old value", "mg k v", "EN"},
		{"512 bytes less fit, under the longest key",
			"ms " + long[1:] + " " + fmt.Sprint(len(large)-512) + " T60 F4294967295\r\n" + large[512:], "HD"},
		{"decr ends at 0", "set n 0 0 1\r\n5\r\ndecr n 7", "STORED 0"},
		{"a number that loses a digit is followed by a blank", "set n 0 0 2\r\n10\r\ndecr n 1\r\nget n", "STORED 9 VALUE n 0 2 9  END"},
		{"incr wraps", "set n 0 0 20\r\n18446744073709551615\r\nincr n 1", "STORED 0"},
	} {
		answer := strings.Join(server.Ask(t, 0, c.command+"\r\nmn", "MN"), " ")
		if answer = strings.TrimSpace(strings.TrimSuffix(answer, "MN")); answer != c.answer {
			t.Errorf("%s: %.50q is answered with %q, want %q", c.fact, c.command, answer, c.answer)
		}
	}
}

// The server is asked how long it will keep what the backend has stored.
func TestMemcachedLives(t *testing.T) {
	busy(t)
	const day = 24 * time.Hour
	server := servers.StartMemcached(t, 1, "")
	begin := time.Now()
	untilLastDate := time.Until(time.Unix(math.MaxInt32+1, 0))
	eachProtocol(t, server, func(t *testing.T, o memcached.Options) {
		c := openMemcached(t, o)
		for ttl, want := range map[time.Duration]time.Duration{
			0:                       -time.Second, // as the server says never
			time.Microsecond:        3 * time.Second,
			time.Second:             3 * time.Second,
			1500 * time.Millisecond: 4 * time.Second,
			time.Minute:             time.Minute + 2*time.Second,
			30*day - time.Second:    30*day + time.Second,
			30 * day:                30*day + 2*time.Second,
			30*day + time.Second:    30*day + 3*time.Second,
			20 * 365 * day:          untilLastDate,
			math.MaxInt64:           untilLastDate,
		} {
			timeout := cache.Timeout(ttl)
			key := fmt.Sprint(int64(ttl), "-")
			_, errAdd := c.Add(t.Context(), key+"add", nil, timeout)
			_, errInc := c.Inc(t.Context(), key+"inc", 1, timeout)
			err := errors.Join(errAdd, errInc,
				c.Set(t.Context(), key+"set", nil, timeout),
				c.SetMany(t.Context(), map[string][]byte{key + "many": nil}, timeout))
			if err != nil {
				t.Fatal(err)
			}
			if want > 30*day { // sent as a date, and the server's clock may tick a second late
				want += time.Second
			}
			for _, how := range []string{"set", "add", "inc", "many"} {
				var left time.Duration
				answer := server.Ask(t, 0, "mg "+key+how+" t", "")[0]
				fmt.Sscanf(answer, "HD t%d", &left)
				late := time.Since(begin).Truncate(time.Second) // of a busy machine
				if left *= time.Second; left > want || left < want-late-3*time.Second {
					t.Errorf("%s with %v: the server answers %q, want %v", how, ttl, answer, want)
				}
			}
		}
	})
}

// Clear without a prefix requires permission and empties every server.
func TestMemcachedClear(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 3, "")
	count := func() (n int) {
		for i := range server.Addrs {
			n += len(server.Keys(t, i))
		}
		return n
	}
	eachProtocol(t, server, func(t *testing.T, o memcached.Options) {
		c := openMemcached(t, o)
		_, items := numbered(100)
		if err := c.SetMany(t.Context(), items); err != nil {
			t.Fatal(err)
		}
		if err := c.Clear(t.Context()); err == nil || !strings.Contains(err.Error(), "AllowFlush (CACHE_ALLOW_FLUSH)") {
			t.Errorf("Clear: %v; want a refusal that says what permits it", err)
		}
		if n := count(); n != 100 {
			t.Errorf("%d keys are left by a Clear that was refused", n)
		}
		o.AllowFlush = true
		if err := openMemcached(t, o).Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != 0 {
			t.Errorf("%d keys are left on three servers", n)
		}
	})
}

// Keys with all bytes that memcached takes are listed, and cleared by prefix, on
// all servers.
func TestMemcachedClearPrefix(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 3, "")
	c := openMemcached(t, memcached.Options{Servers: server.Addrs})
	clearer := c.Backend().(driver.PrefixClearer)
	prefixes := []string{"%", "%25", "+", "a%2", "ü", "\xff", "=", "key=", "&", "\"", "\\"}
	for _, prefix := range prefixes {
		items := map[string][]byte{}
		for i := range 20 {
			items[fmt.Sprint(prefix, i)], items[fmt.Sprint("x", prefix, i)] = nil, nil
		}
		if err := c.SetMany(t.Context(), items); err != nil {
			t.Fatal(err)
		}
		if err := clearer.ClearPrefix(t.Context(), prefix); err != nil {
			t.Fatal(err)
		}
		left := 0
		for i := range server.Addrs {
			left += len(server.Keys(t, i))
			server.Ask(t, i, "flush_all", "OK")
		}
		if left != 20 {
			t.Errorf("prefix %q: %d keys are left; want 20", prefix, left)
		}
	}
}

// If the server rejects the login, every call returns ErrAuth, without a secret.
func TestMemcachedAccess(t *testing.T) {
	busy(t)
	certificate, other := servers.NewCertificate(t), servers.NewCertificate(t)
	text := servers.StartMemcachedText(t, "app", "hunter2").Addrs[0]
	sasl := servers.StartMemcachedSASL(t, "app", "hunter2", "").Addrs[0]
	secure := servers.StartMemcachedTLS(t, certificate).Addrs[0]
	for name, settings := range map[string]map[string]any{
		"text, wrong password":   {"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": text, "CACHE_MEMCACHED_USERNAME": "app", "CACHE_MEMCACHED_PASSWORD": "wrong-secret"},
		"text, wrong user":       {"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": text, "CACHE_MEMCACHED_USERNAME": "nobody", "CACHE_MEMCACHED_PASSWORD": "wrong-secret"},
		"text, no login":         {"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": text},
		"SASL, wrong password":   {"CACHE_TYPE": "saslmemcached", "CACHE_MEMCACHED_SERVERS": sasl, "CACHE_MEMCACHED_USERNAME": "app", "CACHE_MEMCACHED_PASSWORD": "wrong-secret"},
		"SASL, no login":         {"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": sasl, "CACHE_OPTIONS": map[string]any{"protocol": "binary"}},
		"spread, wrong password": {"CACHE_TYPE": "spreadsaslmemcached", "CACHE_MEMCACHED_SERVERS": sasl, "CACHE_MEMCACHED_USERNAME": "app", "CACHE_MEMCACHED_PASSWORD": "wrong-secret"},
		"TLS, wrong authority":   {"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": secure, "CACHE_MEMCACHED_TLS_CA": caFile(t, other)},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := cache.Open(t.Context(), cache.FromMap(settings))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			texts := fmt.Sprintf("%v %+v %#v", c.Backend(), c.Backend(), c.Backend())
			for name, call := range verbs {
				err := call(t.Context(), c, "k")
				if !errors.Is(err, cache.ErrAuth) || errors.Is(err, cache.ErrUnavailable) {
					t.Errorf("%s: %v; want ErrAuth", name, err)
				}
				texts += fmt.Sprintf("%v %+v", err, err)
			}
			for _, secret := range []string{"wrong-secret", "hunter2"} {
				if strings.Contains(texts, secret) {
					t.Errorf("a password is shown: %s", texts)
				}
			}
		})
	}
}

// A server with -S that is spoken to in text says nothing: no call waits for longer
// than it was told to.
func TestMemcachedWrongProtocol(t *testing.T) {
	timed(t)
	addr := servers.StartMemcachedSASL(t, "app", "hunter2", "").Addrs[0]
	patiently(t, func(patience time.Duration) error {
		c := openMemcached(t, memcached.Options{Servers: []string{addr}, DialTimeout: patience, ReadTimeout: patience})
		begin := time.Now()
		err := c.Ping(t.Context())
		if took := time.Since(begin); took > 5*patience || !errors.Is(err, cache.ErrUnavailable) {
			return fmt.Errorf("Ping in text with a server that speaks the binary protocol alone, with timeouts of %v: %v after %v; want ErrUnavailable", patience, err, took)
		}
		return nil
	})
}

func TestMemcachedBorrowedClient(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 3, "")
	client := memcache.New(server.Addrs...)
	t.Cleanup(func() { client.Close() })
	b, err := memcached.NewFromClient(client, memcached.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keys, items := numbered(100)
	if err := cache.New(b).SetMany(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	found, err := client.GetMulti(keys)
	if err != nil || len(found) != len(keys) {
		t.Errorf("the borrowed client finds %d of %d keys, %v", len(found), len(keys), err)
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, _, err := b.Get(t.Context(), "k1"); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("Get after Close: %v; want ErrClosed", err)
	}
	if item, err := client.Get("k1"); err != nil || string(item.Value) != "value of k1" {
		t.Errorf("the borrowed client, after Close: %v, %v", item, err)
	}
}

// A connection is not used again before it is known to be in step, however a call
// on it ended.
func TestMemcachedCancelledCalls(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 1, "")
	eachProtocol(t, server, func(t *testing.T, o memcached.Options) {
		c := openMemcached(t, o)
		keys, items := numbered(200)
		if err := c.SetMany(t.Context(), items); err != nil {
			t.Fatal(err)
		}
		together(16, func(caller int) {
			for i := range 300 {
				key := keys[(caller*31+i)%len(keys)]
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%20)*10*time.Microsecond)
				value, ok, err := c.Get(ctx, key)
				results, errMany := c.GetMany(ctx, key, keys[i%len(keys)])
				cancel()
				if err == nil && (!ok || string(value) != "value of "+key) {
					t.Errorf("Get of %s = %q, %v", key, value, ok)
				}
				if errMany == nil && (string(results[0].Value) != "value of "+key || string(results[1].Value) != "value of "+keys[i%len(keys)]) {
					t.Errorf("GetMany of %s and %s = %q and %q", key, keys[i%len(keys)], results[0].Value, results[1].Value)
				}
			}
		})
	})
}
