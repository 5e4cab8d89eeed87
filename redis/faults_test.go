package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

const value = "a value that no error shows"

// verb is an operation and the command that it sends.
type verb struct {
	name, command string
	write         bool
	call          func(ctx context.Context, b *Backend) error
}

var verbs = []verb{
	{"Get", "get", false, func(ctx context.Context, b *Backend) error { _, _, err := b.Get(ctx, "k"); return err }},
	{"Has", "type", false, func(ctx context.Context, b *Backend) error { _, err := b.Has(ctx, "k"); return err }},
	{"TTL", "pttl", false, func(ctx context.Context, b *Backend) error { _, _, err := b.TTL(ctx, "k"); return err }},
	{"GetMany", "mget", false, func(ctx context.Context, b *Backend) error { _, err := b.GetMany(ctx, []string{"k"}); return err }},
	{"GetAppend", "get", false, func(ctx context.Context, b *Backend) error { _, _, err := b.GetAppend(ctx, "k", nil); return err }},
	{"GetWithTTL", "get", false, func(ctx context.Context, b *Backend) error { _, _, _, err := b.GetWithTTL(ctx, "k"); return err }},
	{"GetManyWithTTL", "get", false, func(ctx context.Context, b *Backend) error {
		_, _, err := b.GetManyWithTTL(ctx, []string{"k"})
		return err
	}},
	{"Set", "set", true, func(ctx context.Context, b *Backend) error { return b.Set(ctx, "k", []byte(value), time.Minute) }},
	{"Add", "set", true, func(ctx context.Context, b *Backend) error {
		_, err := b.Add(ctx, "k", []byte(value), time.Minute)
		return err
	}},
	{"Inc", "eval", true, func(ctx context.Context, b *Backend) error { _, err := b.Inc(ctx, "k", 1, time.Minute); return err }},
	{"Delete", "unlink", true, func(ctx context.Context, b *Backend) error { _, err := b.Delete(ctx, "k"); return err }},
	{"SetMany", "set", true, func(ctx context.Context, b *Backend) error {
		return b.SetMany(ctx, []driver.Item{{Key: "k", Value: []byte(value)}}, time.Minute)
	}},
	{"DeleteMany", "unlink", true, func(ctx context.Context, b *Backend) error {
		_, err := b.DeleteMany(ctx, []string{"k"})
		return err
	}},
	{"Clear", "flushdb", true, func(ctx context.Context, b *Backend) error { return b.Clear(ctx) }},
	{"ClearPrefix", "scan", false, func(ctx context.Context, b *Backend) error { return b.ClearPrefix(ctx, "p") }},
	{"Ping", "ping", false, func(ctx context.Context, b *Backend) error { return b.Ping(ctx) }},
}

func TestNothingListens(t *testing.T) {
	const addr = "127.0.0.1:1" // the system never assigns this port
	for name, o := range map[string]Options{
		"one server": {Addr: addr},
		"cluster":    {Cluster: []string{addr}},
		"sentinels":  {Sentinels: []string{addr}},
	} {
		t.Run(name, func(t *testing.T) {
			o.AllowFlush = true
			b := start(t, o)
			for _, v := range verbs {
				// More calls than the size of the pool, after which the driver would stop dialling.
				for range 3 {
					err := v.call(t.Context(), b)
					if !errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrUnknownOutcome) {
						t.Errorf("%s: %v; want ErrUnavailable, because nothing was sent", v.name, err)
					}
				}
			}
			withTimeouts(t, func(time.Duration) error {
				begin := time.Now()
				b.Get(t.Context(), "k")
				if took := time.Since(begin); took > 50*time.Millisecond && name == "one server" {
					return fmt.Errorf("Get took %v", took)
				}
				return nil
			})
		})
	}
}

// The first call after a server is back succeeds, however many failed before.
func TestServerComesBack(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	b := start(t, Options{Addr: addr, PoolSize: 3})
	for range 10 {
		if err := b.Ping(t.Context()); !errors.Is(err, cache.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if listener, err = net.Listen("tcp", addr); err != nil {
		t.Fatal("the port was taken: ", err)
	}
	serveFake(t, listener, on("none", always("")))
	if err := b.Ping(t.Context()); err != nil {
		t.Errorf("the first call after the server is back: %v", err)
	}
}

func TestLostReply(t *testing.T) {
	for _, v := range verbs {
		t.Run(v.name, func(t *testing.T) {
			if v.name == "Ping" {
				t.Skip("the set-up of a connection sends PING too")
			}
			f := startFake(t, on(v.command, always(hangUp)))
			b := start(t, Options{Addr: f.addr, AllowFlush: true})
			err := v.call(t.Context(), b)
			want, sent := cache.ErrUnavailable, 2
			if v.write {
				want, sent = cache.ErrUnknownOutcome, 1
			}
			if v.name == "ClearPrefix" {
				sent = 1 // a cursor is not valid on another connection
			}
			if !errors.Is(err, want) {
				t.Errorf("got %v; want %v", err, want)
			}
			if n := f.count(v.command); n != sent {
				t.Errorf("%s was sent %d times; want %d", v.command, n, sent)
			}
		})
	}
}

// A write is not repeated by a client of the application that would repeat commands.
func TestLostReplyOnBorrowedClient(t *testing.T) {
	for _, v := range verbs {
		if v.name == "Clear" || v.name == "ClearPrefix" || !v.write {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			f := startFake(t, on(v.command, always(hangUp)))
			client := goredis.NewClient(&goredis.Options{Addr: f.addr, MaxRetries: 3, MinRetryBackoff: -1})
			defer client.Close()
			b, err := NewFromClient(client, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := v.call(t.Context(), b); !errors.Is(err, cache.ErrUnknownOutcome) {
				t.Errorf("got %v; want ErrUnknownOutcome", err)
			}
			if n := f.count(v.command); n > 1 {
				t.Errorf("%s was sent %d times", v.command, n)
			}
		})
	}
}

func TestReadIsRepeated(t *testing.T) {
	for name, first := range map[string]string{"hang up": hangUp, "partial reply": partial + "$100\r\nthe beginning"} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, on("get", func(n int) string {
				if n == 1 {
					return first
				}
				return "$3\r\nall\r\n"
			}))
			b := start(t, Options{Addr: f.addr})
			if v, ok, err := b.Get(t.Context(), "k"); string(v) != "all" || !ok || err != nil {
				t.Errorf("Get = %q, %v, %v", v, ok, err)
			}
		})
	}
}

// With TLS, broken idle connections are noticed one after the other.
func TestBrokenIdleConnections(t *testing.T) {
	const callers = 5
	help := httptest.NewTLSServer(nil)
	defer help.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(help.Certificate())
	var meet sync.WaitGroup
	meet.Add(callers)
	f := startFakeTLS(t, &tls.Config{Certificates: help.TLS.Certificates}, on("get", func(n int) string {
		if n <= callers { // so that each uses a connection of its own
			meet.Done()
			meet.Wait()
		}
		return "$1\r\nv\r\n"
	}))
	b := start(t, Options{Addr: f.addr, TLS: &tls.Config{RootCAs: trusted}, NoAutoPipeline: true})
	var ended sync.WaitGroup
	for range callers {
		ended.Go(func() { b.Get(t.Context(), "k") })
	}
	ended.Wait()
	for name, call := range map[string]func() error{
		"Get": func() error { _, _, err := b.Get(t.Context(), "k"); return err },
		"Set": func() error { return b.Set(t.Context(), "k", nil, 0) },
	} {
		f.dropAll()
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSilence(t *testing.T) {
	for name, o := range map[string]Options{
		"roomy pool": {},
		"full pool":  {PoolSize: 1, NoAutoPipeline: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, func(_ int, args []string) string {
				if args[0] == "hello" || args[0] == "ping" {
					return ""
				}
				return silence
			})
			o.Addr, o.AllowFlush, o.ReadTimeout = f.addr, true, ample
			b := start(t, o)
			if name == "full pool" {
				go b.Get(t.Context(), "occupies the only connection")
				waitFor(t, "a Get", func() bool { return f.count("get") == 1 })
			}
			for _, v := range verbs {
				if v.name == "Ping" {
					continue
				}
				unknown := v.write && name == "roomy pool"
				withTimeouts(t, func(timeout time.Duration) error {
					begin := time.Now()
					err := v.call(soon(t, timeout), b)
					if took := time.Since(begin); took > 2*timeout {
						return fmt.Errorf("%s with %v took %v", v.name, timeout, took)
					}
					if !errors.Is(err, context.DeadlineExceeded) ||
						errors.Is(err, cache.ErrUnknownOutcome) != unknown || errors.Is(err, cache.ErrUnavailable) == unknown {
						return fmt.Errorf("%s: %v; want DeadlineExceeded, and an unknown outcome: %v", v.name, err, unknown)
					}
					return nil
				})
			}
		})
	}
}

func TestReadTimeout(t *testing.T) {
	f := startFake(t, on("get", always(silence)))
	withTimeouts(t, func(timeout time.Duration) error {
		b := start(t, Options{Addr: f.addr, ReadTimeout: timeout})
		begin := time.Now()
		_, _, err := b.Get(t.Context(), "k")
		if took := time.Since(begin); took > 2*timeout || !errors.Is(err, cache.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("after %v: %v; want ErrUnavailable at the read timeout, without DeadlineExceeded", took, err)
		}
		return nil
	})
}

func TestGarbage(t *testing.T) {
	for name, reply := range map[string]string{
		"no protocol":     value + " without a protocol\r\n",
		"quoted":          "$\"" + value + "\r\n",
		"no end":          "$5\n",
		"absurd string":   "$99999999999999\r\n",
		"beyond integers": "$9223372036854775806\r\n",
		"absurd list":     "*99999999999\r\n",
		"negative length": "$-7\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range verbs[:8] {
				f := startFake(t, on(v.command, always(reply)))
				b := start(t, Options{Addr: f.addr})
				err := v.call(soon(t, ample), b)
				if err == nil || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v; want an error at once", v.name, err)
					continue
				}
				if strings.Contains(err.Error(), value[:8]) {
					t.Errorf("%s: the error quotes what may be a value: %v", v.name, err)
				}
			}
		})
	}
}

func TestRepliesThatPass(t *testing.T) {
	f := startFake(t, on("get", func(n int) string {
		if n == 1 {
			return "-LOADING Redis is loading the dataset in memory\r\n"
		}
		return "$1\r\nv\r\n"
	}))
	b := start(t, Options{Addr: f.addr})
	if _, _, err := b.Get(t.Context(), "k"); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("while loading: %v", err)
	}
	if v, ok, err := b.Get(t.Context(), "k"); string(v) != "v" || !ok || err != nil {
		t.Errorf("after loading: %q, %v, %v", v, ok, err)
	}
}

// A server with too many clients replies so and closes the connection. It has not read
// the command, so the outcome is known.
func TestTooManyClients(t *testing.T) {
	f := startFake(t, func(n int, args []string) string {
		if args[0] == "hello" {
			return "-ERR max number of clients reached\r\n"
		}
		return hangUp
	})
	b := start(t, Options{Addr: f.addr, AllowFlush: true})
	for _, v := range verbs {
		if err := v.call(t.Context(), b); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("%s: %v; want ErrUnavailable", v.name, err)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	const secret = "hunter2secret"
	f := startFake(t, func(_ int, args []string) string {
		if args[0] == "auth" || args[0] == "hello" {
			return "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
		}
		return "-NOAUTH Authentication required.\r\n"
	})
	b := start(t, Options{Addr: f.addr, Password: cache.Secret(secret), AllowFlush: true})
	for _, v := range verbs {
		before := f.count("auth")
		err := v.call(t.Context(), b)
		if !errors.Is(err, cache.ErrAuth) || errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("%s: %v; want ErrAuth", v.name, err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, b), secret) {
			t.Errorf("%s: the password is in %v", v.name, err)
		}
		if n := f.count("auth") - before; n > 2 {
			t.Errorf("%s: tried %d times", v.name, n)
		}
	}
	without := start(t, Options{Addr: f.addr})
	if _, _, err := without.Get(t.Context(), "k"); !errors.Is(err, cache.ErrAuth) {
		t.Errorf("without a password: %v; want ErrAuth", err)
	}
}

func TestCertificates(t *testing.T) {
	help := httptest.NewTLSServer(nil) // has a certificate for 127.0.0.1 and example.com
	defer help.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(help.Certificate())
	config := &tls.Config{Certificates: help.TLS.Certificates}
	f := startFakeTLS(t, config, on("get", always("$1\r\nv\r\n")))
	strict := startFakeTLS(t, &tls.Config{Certificates: help.TLS.Certificates, ClientAuth: tls.RequireAnyClientCert},
		on("get", always("$1\r\nv\r\n")))
	for name, tt := range map[string]struct {
		o    Options
		want error
	}{
		"trusted":               {Options{Addr: f.addr, TLS: &tls.Config{RootCAs: trusted}}, nil},
		"another name":          {Options{Addr: f.addr, TLS: &tls.Config{RootCAs: trusted, ServerName: "example.com"}}, nil},
		"wrong name":            {Options{Addr: f.addr, TLS: &tls.Config{RootCAs: trusted, ServerName: "example.org"}}, cache.ErrAuth},
		"unknown authority":     {Options{URL: cache.Secret("rediss://" + f.addr)}, cache.ErrAuth},
		"no client certificate": {Options{Addr: strict.addr, TLS: &tls.Config{RootCAs: trusted}}, cache.ErrAuth},
		"no TLS on our side":    {Options{Addr: f.addr}, cache.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := start(t, tt.o).Get(soon(t, ample), "k")
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v; want %v", err, tt.want)
			}
		})
	}
}

// Rule CFG-8 of the contract.
func TestPasswordWithoutTLSWarns(t *testing.T) {
	const secret = "hunter2secret"
	for name, tt := range map[string]struct {
		o        Options
		warnings int
	}{
		"far":            {Options{Addr: "cache.example.com:6379", Password: cache.Secret(secret)}, 1},
		"far by URL":     {Options{URL: cache.Secret("redis://:" + secret + "@cache.example.com")}, 1},
		"far sentinels":  {Options{Sentinels: []string{"192.0.2.1:26379"}, SentinelPassword: cache.Secret(secret)}, 1},
		"with TLS":       {Options{URL: cache.Secret("rediss://:" + secret + "@cache.example.com")}, 0},
		"no password":    {Options{Addr: "cache.example.com:6379"}, 0},
		"localhost":      {Options{Password: cache.Secret(secret)}, 0},
		"loopback":       {Options{Addr: "[::1]:6379", Password: cache.Secret(secret)}, 0},
		"unix socket":    {Options{Addr: "/run/redis.sock", Password: cache.Secret(secret)}, 0},
		"one far of two": {Options{Cluster: []string{"127.0.0.1:1", "192.0.2.1:1"}, Password: cache.Secret(secret)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			before := slog.Default()
			defer slog.SetDefault(before)
			var log bytes.Buffer
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
			start(t, tt.o)
			if n := strings.Count(log.String(), "level=WARN"); n != tt.warnings || strings.Contains(log.String(), secret) {
				t.Errorf("%d warnings, want %d without the secret: %s", n, tt.warnings, &log)
			}
		})
	}
}
